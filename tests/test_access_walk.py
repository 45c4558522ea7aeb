"""Every address, asked by every kind of person with every method: one expected answer for each, in one table.

An address without a row fails, so nothing is added without saying who may see it.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import Organization, User
from apikeys import keys
from tests.world import LONG_AGO, World

ROLES = ("anonymous", "outsider", "reader", "reader_without_visibility", "admin", "owner")
# Walked by their own projects' tests; the prefix alone is asked here.
FOREIGN_PREFIXES = ("accounts/", "admin/")


class Answers(NamedTuple):
    """The expected status for each of ROLES, in their order."""

    anonymous: int
    outsider: int
    reader: int
    reader_without_visibility: int
    admin: int
    owner: int


SIGN_IN = 302
EVERYONE = Answers(200, 200, 200, 200, 200, 200)
NOBODY = Answers(405, 405, 405, 405, 405, 405)
UNAUTHENTICATED = Answers(401, 401, 401, 401, 401, 401)
SIGNED_IN = Answers(SIGN_IN, 200, 200, 200, 200, 200)
REDIRECTED = Answers(302, 302, 302, 302, 302, 302)
SIGNED_IN_BAD = Answers(SIGN_IN, 400, 400, 400, 400, 400)
MEMBERS = Answers(SIGN_IN, 404, 200, 200, 200, 200)
ADMINS = Answers(SIGN_IN, 404, 403, 403, 200, 200)
OWNERS = Answers(SIGN_IN, 404, 403, 403, 403, 200)
# The key in these addresses is the admin's own: for everyone else it does not exist.
KEY_OWNER = Answers(SIGN_IN, 404, 404, 404, 200, 404)
KEY_OWNER_CHANGES = Answers(SIGN_IN, 404, 404, 404, 302, 404)

# address pattern → (answers to GET and HEAD, answers to POST)
EXPECTED = {
    "": (REDIRECTED, REDIRECTED),
    "usage": (REDIRECTED, NOBODY),
    "settings/organization/<slug:slug>/usage/activity/": (MEMBERS, NOBODY),
    "settings/organization/<slug:slug>/usage/cost/": (MEMBERS, NOBODY),
    "settings/organization/<slug:slug>/usage/activity/export.csv": (OWNERS, NOBODY),
    "settings/organization/<slug:slug>/usage/cost/export.csv": (OWNERS, NOBODY),
    "settings/organization/<slug:slug>/": (MEMBERS, NOBODY),
    "settings/organization/<slug:slug>/members/": (ADMINS, NOBODY),
    "settings/profile/": (SIGNED_IN, REDIRECTED),
    "settings/profile/default-organization/": (NOBODY, SIGNED_IN),
    "settings/api-keys/": (SIGNED_IN, SIGNED_IN),
    "settings/api-keys/<slug:public_id>/tracking/": (NOBODY, SIGNED_IN_BAD),
    "settings/api-keys/<slug:public_id>/name/": (KEY_OWNER, KEY_OWNER),
    "settings/api-keys/<slug:public_id>/revocation/": (KEY_OWNER, KEY_OWNER_CHANGES),
    "v1/usage/events": (NOBODY, UNAUTHENTICATED),
    "healthz": (EVERYONE, NOBODY),
    "readyz": (EVERYONE, NOBODY),
}
GET_ONLY = {
    "settings/organization/<slug:slug>/usage/activity/export.csv",
    "settings/organization/<slug:slug>/usage/cost/export.csv",
}
CHANGING_METHODS = ("PUT", "PATCH", "DELETE")


def project_patterns() -> list[str]:
    return [pattern for pattern in patterns_of(get_resolver()) if not pattern.startswith(FOREIGN_PREFIXES)]


def patterns_of(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        address = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield address
        else:
            yield from patterns_of(entry, address)


def test_every_address_has_a_row_and_every_row_an_address() -> None:
    assert set(project_patterns()) == set(EXPECTED)


@pytest.fixture
def ask(world: World, client_of: Callable[[User], Client]) -> Callable[[str, str, str], HttpResponse]:
    """Ask for an address as a role with a method."""
    api_key, _ = keys.create_api_key(user=world.bob, name="Laptop", created_at=LONG_AGO)
    people = {"outsider": world.charlie, "admin": world.bob, "owner": world.alice}

    def answer(role: str, pattern: str, method: str) -> HttpResponse:
        if role == "reader_without_visibility":
            Organization.objects.filter(pk=world.acme.pk).update(usage_visibility="owners_and_admins")
        client = Client() if role == "anonymous" else client_of(people.get(role, world.rita))
        address = "/" + pattern.replace("<slug:slug>", "acme").replace("<slug:public_id>", api_key.public_id)
        return client.generic(method, address)  # type: ignore[return-value]

    return answer


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("pattern", EXPECTED)
def test_each_role_gets_the_answer_of_the_table(
    ask: Callable[[str, str, str], HttpResponse], role: str, pattern: str
) -> None:
    reading, changing = EXPECTED[pattern]
    assert ask(role, pattern, "GET").status_code == getattr(reading, role)
    head = 405 if pattern in GET_ONLY else getattr(reading, role)
    assert ask(role, pattern, "HEAD").status_code == head
    assert ask(role, pattern, "POST").status_code == getattr(changing, role)


@pytest.mark.parametrize("method", CHANGING_METHODS)
@pytest.mark.parametrize("pattern", [pattern for pattern in EXPECTED if pattern])
def test_no_address_knows_other_methods(
    ask: Callable[[str, str, str], HttpResponse], pattern: str, method: str
) -> None:
    assert ask("owner", pattern, method).status_code == 405


@pytest.mark.parametrize("pattern", [pattern for pattern in EXPECTED if "<slug:slug>" in pattern])
def test_a_former_member_is_an_outsider(
    world: World, ask: Callable[[str, str, str], HttpResponse], pattern: str
) -> None:
    world.rita.memberships.update(left_at=LONG_AGO.replace(year=2024))
    assert ask("reader", pattern, "GET").status_code == 404


@pytest.mark.parametrize("prefix", FOREIGN_PREFIXES)
def test_nothing_of_the_foreign_pages_shows_data_to_strangers(prefix: str) -> None:
    assert Client().get("/" + prefix).status_code in {302, 404}
