"""Organization settings, Admin keys: owners make and revoke them, and see their secret once."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.clock import database_now
from accounts.models import AuditEvent, User
from apikeys import secrets
from apikeys.adminkeys.adminkeys import create_admin_key
from apikeys.models import AdminKey
from tests.world import World

SignIn = Callable[[User], Client]
PAGE = "/settings/organization/acme/admin-keys/"
SECRET = re.compile(r"sk-admin-[0-9A-Za-z]{40}")
NEW = {"name": "Grafana", "scopes": ["usage", "costs"], "expires_in_days": "30"}


def text_of(page: object) -> str:
    return " ".join(page.content.decode().split())  # type: ignore[attr-defined]


def make(world: World, name: str = "Grafana") -> AdminKey:
    key, _ = create_admin_key(organization=world.acme, name=name, scopes=["usage"], now=database_now())
    return key


def test_an_owner_makes_a_key_and_sees_its_secret_once(world: World, client_of: SignIn) -> None:
    client = client_of(world.alice)
    shown = client.post(PAGE, NEW, follow=True)
    (secret,) = set(SECRET.findall(text_of(shown)))
    key = AdminKey.objects.get()
    assert bytes(key.digest) == secrets.digest(secret)
    assert (key.organization, key.created_by, key.scopes) == (world.acme, world.alice, ["costs", "usage"])
    assert key.expires_at is not None
    assert key.redacted == f"sk-admin-...{secret[-3:]}"
    again = text_of(client.get(shown.redirect_chain[-1][0]))
    assert "has been shown already" in again
    assert not SECRET.search(again)
    listed = text_of(client.get(PAGE))
    assert "Grafana" in listed
    assert "costs, usage" in listed
    assert not SECRET.search(listed)


def test_revoking_asks_first_and_stays_on_record(world: World, client_of: SignIn) -> None:
    key = make(world)
    client = client_of(world.alice)
    address = f"{PAGE}{key.public_id}/revocation/"
    assert "cannot be undone" in text_of(client.get(address))
    assert AdminKey.objects.get().revoked_at is None
    page = client.post(address, follow=True)
    assert "“Grafana” was revoked" in text_of(page)
    assert [found.name for found in page.context["revoked"].rows] == ["Grafana"]
    assert client.get(address).status_code == 404
    events = AuditEvent.objects.filter(organization=world.acme, target_id=key.public_id).order_by("id")
    assert [found.event for found in events] == ["admin_key.created", "admin_key.deleted"]
    assert events[1].actor == world.alice
    assert "Admin key revoked" in text_of(client.get("/settings/organization/acme/audit/"))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"scopes": []}, "Choose what the key may read."),
        ({"scopes": ["everything"]}, "Select a valid choice."),
        ({"name": " "}, "Enter a name."),
        ({"name": "sk-admin-" + "a" * 40}, "This looks like a secret."),
        ({"expires_in_days": "3"}, "Select a valid choice."),
    ],
)
def test_bad_forms_make_no_key(world: World, client_of: SignIn, changed: dict[str, object], sentence: str) -> None:
    page = client_of(world.alice).post(PAGE, NEW | changed)
    assert sentence in text_of(page)
    assert not AdminKey.objects.exists()


def test_keys_of_an_organization_have_a_limit_that_revoking_relieves(
    world: World, client_of: SignIn, settings: Settings
) -> None:
    settings.MAX_ADMIN_KEYS_PER_ORGANIZATION = 1
    key = make(world)
    client = client_of(world.alice)
    page = client.post(PAGE, NEW)
    assert page.status_code == 409
    assert "1 active admin key, which is the limit" in text_of(page)
    client.post(f"{PAGE}{key.public_id}/revocation/")
    assert client.post(PAGE, NEW).status_code == 302


def test_the_menu_leads_owners_alone_there(world: World, client_of: SignIn) -> None:
    assert f'href="{PAGE}"' in text_of(client_of(world.alice).get("/settings/organization/acme/"))
    assert f'href="{PAGE}"' not in text_of(client_of(world.bob).get("/settings/organization/acme/"))


def test_the_page_needs_the_same_queries_however_many_keys_there_are(
    world: World, client_of: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        make(world, f"key {number}")
    client = client_of(world.alice)
    with django_assert_max_num_queries(9):
        client.get(PAGE)
