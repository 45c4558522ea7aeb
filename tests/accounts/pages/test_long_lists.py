"""Who is in thousands of organizations, and an organization that thousands are in, have pages of the usual size."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.test import Client

from accounts.clock import database_now
from accounts.models import Membership, Organization, User
from accounts.pages.frame import SWITCHER_MOST
from accounts.pages.lists import PAGE_ROWS
from tests.world import World

SignIn = Callable[[User], Client]
NUMBER = 3 * PAGE_ROWS
MOST_BYTES = 200_000


@pytest.fixture
def crowded(world: World) -> World:
    """Alice owns hundreds of organizations, and hundreds of people read Acme."""
    now = database_now()
    made = Organization.objects.bulk_create(
        Organization(name=f"Team {number:04}", slug=f"team-{number:04}") for number in range(NUMBER)
    )
    _join([(one, world.alice) for one in made], "owner", now)
    people = User.objects.bulk_create(
        User(email=f"person-{number:04}@acme.test", name=f"Person {number:04}") for number in range(NUMBER)
    )
    _join([(world.acme, one) for one in people], "reader", now)
    return world


def test_the_switcher_names_the_first_ones_and_the_current_one_and_leads_to_all(
    crowded: World, client_of: SignIn
) -> None:
    last = f"team-{NUMBER - 1:04}"
    page = client_of(crowded.alice).get(f"/settings/organization/{last}/").content.decode()
    switcher = page.split('id="switcher"')[1].split("</ul>")[0]
    assert switcher.count("<li>") == SWITCHER_MOST + 2
    assert f'/{last}/" aria-current="true"' in switcher
    assert "/settings/organizations/" in switcher
    assert len(page) < MOST_BYTES


def test_the_default_organization_is_known_wherever_it_is_in_the_list(crowded: World, client_of: SignIn) -> None:
    last = Organization.objects.get(slug=f"team-{NUMBER - 1:04}")
    User.objects.filter(pk=crowded.alice.pk).update(default_organization=last)
    client = client_of(User.objects.get(pk=crowded.alice.pk))
    page = client.get("/settings/profile/").content.decode()
    assert f'value="{last.public_id}" selected' in page
    assert page.count("<option") == PAGE_ROWS + 1
    assert client.get("/usage")["Location"].endswith(f"/{last.slug}/usage/activity/")


@pytest.mark.parametrize(
    ("address", "name", "number"),
    [
        ("/settings/organizations/", "Team", NUMBER - 1),
        ("/settings/organization/acme/members/", "Person", NUMBER - 1),
    ],
)
def test_a_long_list_has_pages_and_a_search(
    crowded: World, client_of: SignIn, address: str, name: str, number: int
) -> None:
    client = client_of(crowded.alice)
    first = client.get(address).content.decode()
    assert f"{name} {number:04}" not in _table(first)
    assert _table(first).count("<tr>") == PAGE_ROWS + 1
    assert len(first) < MOST_BYTES
    assert f"{name} {number:04}" in _table(client.get(f"{address}?q={name.lower()} {number:04}").content.decode())
    assert f"{name} {number:04}" in _table(client.get(f"{address}?page=4").content.decode())


def test_the_pages_of_members_are_counted_as_a_whole(crowded: World, client_of: SignIn) -> None:
    page = client_of(crowded.alice).get("/settings/organization/acme/members/").content.decode()
    assert f"{NUMBER + 3} people" in page


def test_key_coverage_shows_the_members_page_by_page(crowded: World, client_of: SignIn) -> None:
    client = client_of(crowded.alice)
    first = client.get("/settings/organization/acme/keys/").content.decode()
    assert _table(first).count("<tr") == PAGE_ROWS + 1
    assert f"Person {NUMBER - 1:04}" in client.get("/settings/organization/acme/keys/?page=4").content.decode()


def _join(pairs: list[tuple[Organization, User]], role: str, now: datetime) -> None:
    Membership.objects.bulk_create(
        Membership(organization=organization, user=user, role=role, joined_at=now) for organization, user in pairs
    )


def _table(page: str) -> str:
    return page.split("<table")[1].split("</table>", maxsplit=1)[0]
