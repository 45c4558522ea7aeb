"""Open invitations of an organization into which thousands were invited: page by page, and found by their address."""

import re
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.clock import database_now
from accounts.models import Invitation, Organization, User
from accounts.pages.lists import PAGE_ROWS
from tests.world import World

SignIn = Callable[[User], Client]
PAGE = "/settings/organization/acme/members/"
MANY = 1_000
MOST_BYTES = 300_000


def invite(organization: Organization, by: User, first: int, last: int) -> None:
    now = database_now()
    Invitation.objects.bulk_create(
        Invitation(
            organization=organization,
            email=f"guest-{number:05}@acme.test",
            role="reader",
            digest=sha256(f"{organization.pk} {number}".encode()).digest(),
            invited_by=by,
            created_at=now,
            sent_at=now,
            expires_at=now + timedelta(days=7),
        )
        for number in range(first, last)
    )


def invited(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'<th scope="row">guest-(\d+)@', page)]


def test_open_invitations_are_a_hundred_at_a_time_and_all_are_counted(world: World, client_of: SignIn) -> None:
    invite(world.acme, world.alice, 0, MANY)
    client = client_of(world.bob)
    page = client.get(PAGE).content.decode()
    assert invited(page) == list(range(PAGE_ROWS))
    assert "1,000 invitations · Page 1 of 10" in page
    assert 'href="?invited=2#invited"' in page
    assert len(page) < MOST_BYTES
    last = client.get(PAGE, {"invited": "10"}).content.decode()
    assert invited(last) == list(range(MANY - PAGE_ROWS, MANY))
    assert "Rita Rao" in last


def test_the_search_finds_people_and_invitations(world: World, client_of: SignIn) -> None:
    invite(world.acme, world.alice, 0, 150)
    invite(world.other, world.charlie, 140, 160)
    client = client_of(world.bob)
    assert 'type="search"' in client.get(PAGE).content.decode()
    assert invited(client.get(PAGE, {"q": "Guest-0014"}).content.decode()) == list(range(140, 150))
    found = client.get(PAGE, {"q": "rita"}).content.decode()
    assert "Rita Rao" in found
    assert not invited(found)
    page = client.get(PAGE, {"q": "guest", "page": "1"}).content.decode()
    assert 'href="?q=guest&amp;page=1&amp;invited=2#invited"' in page


def test_few_invitations_have_neither_pages_nor_a_search(world: World, client_of: SignIn) -> None:
    invite(world.acme, world.alice, 0, 3)
    page = client_of(world.bob).get(PAGE).content.decode()
    assert invited(page) == [0, 1, 2]
    assert "list-pager" not in page
    assert 'type="search"' not in page


def test_more_invitations_need_no_more_queries(world: World, client_of: SignIn) -> None:
    client = client_of(world.bob)
    invite(world.acme, world.alice, 0, 2)
    client.get(PAGE)
    with CaptureQueriesContext(connection) as few:
        client.get(PAGE)
    invite(world.acme, world.alice, 2, 200)
    with CaptureQueriesContext(connection) as many:
        client.get(PAGE)
    assert len(many) == len(few)
