"""A person with thousands of keys: a page of them at a time, found by a search, and where they were after a change."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from apikeys.models import APIKey, TrackingChange
from tests.world import Role, World, join

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
PAGE = "/settings/api-keys/"
NEW = datetime(2026, 11, 1, tzinfo=UTC)
MANY = 10_000


def make_keys(user: User, number: int, *, revoked: bool = False) -> list[APIKey]:
    """The newest is the last. Their names are `key 0` and so on, or `old 0`."""
    name = "old" if revoked else "key"
    made = APIKey.objects.bulk_create(
        APIKey(
            user=user,
            name=f"{name} {n}",
            digest=f"{user.pk}{name}{n}".encode().ljust(32, b"."),
            redacted=f"sk-...{n % 10_000:04}",
            tracked=True,
            created_at=NEW + timedelta(seconds=n),
            revoked_at=NEW + timedelta(days=2) if revoked else None,
        )
        for n in range(number)
    )
    TrackingChange.objects.bulk_create(
        TrackingChange(api_key=one, tracked=True, effective_at=one.created_at) for one in made
    )
    return made


def names(page: str) -> list[str]:
    return re.findall(r'<th scope="row">\s*<bdi>((?:old|key) \d+)</bdi>', page)


def test_ten_thousand_keys_are_a_hundred_at_a_time(
    world: World, client_of: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_keys(world.rita, MANY)
    client = client_of(world.rita)
    client.get(PAGE)
    with django_assert_max_num_queries(12):
        page = client.get(PAGE).content.decode()
    assert names(page) == [f"key {MANY - 1 - n}" for n in range(100)]
    assert "10,000 keys · Page 1 of 100" in page
    assert len(page) < 500_000
    last = client.get(PAGE, {"page": "100"}).content.decode()
    assert names(last) == [f"key {99 - n}" for n in range(100)]
    assert 'id="list-previous"' in last
    assert 'id="list-next"' not in last


def test_few_keys_have_neither_pages_nor_a_search(world: World, client_of: SignIn) -> None:
    make_keys(world.rita, 3)
    page = client_of(world.rita).get(PAGE).content.decode()
    assert "list-pager" not in page
    assert 'type="search"' not in page


def test_a_search_finds_by_name_and_id_and_says_where_nothing_is_found(world: World, client_of: SignIn) -> None:
    made = make_keys(world.rita, 150)
    make_keys(world.alice, 150)
    client = client_of(world.rita)
    assert names(client.get(PAGE, {"q": "KEY 14"}).content.decode()) == [
        *(f"key {n}" for n in range(149, 139, -1)),
        "key 14",
    ]
    assert names(client.get(PAGE, {"q": made[7].public_id}).content.decode()) == ["key 7"]
    nothing = client.get(PAGE, {"q": "100%"}).content.decode()
    assert "No key that works has “<bdi>100%</bdi>”" in nothing
    assert "You have no keys yet" not in nothing


def test_a_switch_leads_to_the_page_that_the_key_is_on_and_keeps_the_search(world: World, client_of: SignIn) -> None:
    made = make_keys(world.rita, 250)
    client = client_of(world.rita)
    switch = f"{PAGE}{made[20].public_id}/tracking/"
    page = client.post(switch, {"tracked": "off"}, follow=True).content.decode()
    assert f'<tr id="{made[20].public_id}">' in page
    assert "Page 3 of 3" in page
    assert "Tracking turned off for “<bdi>key 20</bdi>”" in page
    found = client.post(f"{switch}?q=key+2", {"tracked": "on"}, follow=True)
    assert 'name="q" value="key 2"' in " ".join(found.content.decode().split())
    assert f'<tr id="{made[20].public_id}">' in found.content.decode()
    same = client.post(switch, {"tracked": "on"}, follow=True).content.decode()
    assert f'<tr id="{made[20].public_id}">' in same


def test_revoked_keys_have_pages_of_their_own(world: World, client_of: SignIn) -> None:
    make_keys(world.rita, 2)
    make_keys(world.rita, 150, revoked=True)
    client = client_of(world.rita)
    page = client.get(PAGE).content.decode()
    assert "Revoked keys (150) · Page 1 of 2" in page
    assert "<details open>" not in page
    second = client.get(PAGE, {"revoked": "2"}).content.decode()
    assert "<details open>" in second
    assert names(second) == ["key 1", "key 0", *(f"old {n}" for n in range(49, -1, -1))]
    assert 'href="?revoked=1#revoked"' in second


def test_another_default_organization_names_the_first_keys_and_counts_the_others(
    world: World, client_of: SignIn
) -> None:
    make_keys(world.rita, 150)
    join(world.rita, world.other, role=Role.READER)
    page = client_of(world.rita).get(f"/settings/profile/default-organization/?organization={world.other.public_id}")
    text = page.content.decode()
    assert "<bdi>key 149</bdi>" in text
    assert "<bdi>key 129</bdi>" not in text
    assert "and 130 more keys" in text
