"""Why is it here: a sentence for every combination of the stored bits, and none for bits that routing never stores."""

from datetime import UTC, datetime
from itertools import product

import pytest

from apikeys.coverage.explanation import explain, is_shown
from apikeys.routing import KeyHistory, NotAMemberError, Route, route

N, D, T = Route.NAMED, Route.DEFAULT, Route.TRACKED
EXPECTED = {
    D | T: ("No organization was named", "is shown under the key"),
    D: ("No organization was named", "Tracking was off"),
    N | D | T: ("The request named Acme", "is shown under the key"),
    N | D: ("The request named Acme", "Tracking was off"),
    N | T: ("The request named Acme", "was not the user's default organization"),
    N: ("The request named Acme", "and tracking was off"),
}


@pytest.mark.parametrize("bits", EXPECTED)
def test_every_combination_has_its_sentence(bits: Route) -> None:
    sentence = explain(int(bits), organization="Acme")
    where, shown = EXPECTED[bits]
    assert where in sentence
    assert shown in sentence
    assert ("shown as Untracked" in sentence) is not is_shown(int(bits))
    assert "{" not in sentence


@pytest.mark.parametrize("bits", [0, int(T)])
def test_bits_that_no_rule_leads_to_are_refused(bits: int) -> None:
    with pytest.raises(ValueError, match="No rule"):
        explain(bits, organization="Acme")


def test_the_reader_is_addressed() -> None:
    assert "your default at the time" in explain(int(D | T), organization="Acme", owner="your")


def test_a_name_with_braces_is_shown_as_it_is() -> None:
    assert "{0} {owner}" in explain(int(D), organization="{0} {owner}")


def test_routing_stores_no_other_bits() -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    stored = set()
    for tracked, named in product([True, False], [None, 1, 2, 3]):
        key = KeyHistory(1, "key_1", 1, [(at, 1)], [(at, tracked)], [(1, at, None), (2, at, None)], None)
        try:
            stored.add(Route(route(key, named=named, at=at)[1]))
        except NotAMemberError:
            assert named == 3
    assert stored == set(EXPECTED)
