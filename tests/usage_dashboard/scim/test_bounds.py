"""Answers of SCIM are bounded by what hangs on the people and groups in them, not by their number alone."""

import pytest

from tests.usage_dashboard.scim.conftest import Ask
from tests.usage_dashboard.scim.test_groups import group
from tests.world import World
from usage_dashboard.scim import storage

NAMES = ["Admins", "Everyone", "Nobody", "Platform"]


@pytest.fixture
def many(world: World, acme: Ask, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Six times somebody is in a group, where an answer has room for four."""
    people = [one.public_id for one in (world.alice, world.bob, world.rita)]
    for name, members in zip(NAMES, (people[:2], people, [], people[:1]), strict=True):
        assert acme("POST", "/Groups", group(name, *members)).status_code == 201
    monkeypatch.setattr(storage, "MOST_LINKS", 4)
    return acme


def read(ask: Ask, path: str, shown: str, **query: str) -> tuple[list[str], list[int]]:
    """What a provider reads that goes on where `itemsPerPage` ends, and how long the pages were."""
    seen: list[str] = []
    lengths: list[int] = []
    total = 1
    while len(seen) < total:
        page = ask("GET", path, startIndex=str(len(seen) + 1), **query).json()
        assert page["itemsPerPage"] == len(page["Resources"]) > 0
        seen += [one[shown] for one in page["Resources"]]
        lengths.append(page["itemsPerPage"])
        total = page["totalResults"]
    return seen, lengths


def test_a_page_of_groups_is_shorter_where_they_have_many_members(many: Ask) -> None:
    assert read(many, "/Groups", "displayName") == (NAMES, [1, 3])
    assert read(many, "/Groups", "displayName", excludedAttributes="members") == (NAMES, [4])


def test_a_page_of_people_is_shorter_where_they_are_in_many_groups(world: World, many: Ask) -> None:
    everybody = ["alice@acme.test", "bob@acme.test", "rita@acme.test"]
    assert read(many, "/Users", "userName") == (everybody, [1, 2])
    shown = many("GET", "/Users").json()["Resources"]
    assert [one["display"] for one in shown[0]["groups"]] == ["Admins", "Everyone", "Platform"]


def test_one_group_is_answered_with_all_of_its_members(many: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MOST_LINKS", 1)
    assert read(many, "/Groups", "displayName") == (NAMES, [1, 1, 2])
    (everyone,) = many("GET", "/Groups", filter='displayName eq "Everyone"').json()["Resources"]
    assert len(everyone["members"]) == 3


@pytest.mark.parametrize("path", ["/Users", "/Groups"])
def test_a_filter_that_would_read_too_much_is_refused_with_what_can_be_asked(many: Ask, path: str) -> None:
    refused = many("GET", path, filter='displayName sw "A"')
    assert (refused.status_code, refused.json()["scimType"]) == (400, "invalidFilter")
    assert "with eq" in refused.json()["detail"]


def test_within_the_bound_such_a_filter_is_answered(many: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MOST_LINKS", 6)
    assert read(many, "/Groups", "displayName", filter='displayName sw "A"') == (["Admins"], [1])
