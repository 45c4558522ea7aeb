"""Rests between runs grow while events keep coming, up to what the operator allows."""

from pytest_django import Settings

from billing.at_once.rests import FIRST_SECONDS, Rests
from metering.rollups.arrivals import SILENCE_SECONDS


def test_rests_grow_from_the_first_to_the_longest(settings: Settings) -> None:
    settings.ROLL_UP_REST_SECONDS = 0.2
    rests = Rests()
    found = [rests.next() for _ in range(8)]
    assert abs(found[0] - FIRST_SECONDS) < 1e-9
    assert found == sorted(found)
    assert found[2] > found[1] > found[0]
    assert found[-1] == 0.2


def test_without_rests_there_are_none(settings: Settings) -> None:
    settings.ROLL_UP_REST_SECONDS = 0
    rests = Rests()
    assert [rests.next() for _ in range(3)] == [0, 0, 0]


def test_what_is_not_said_is_found_by_the_next_look() -> None:
    """A batch that follows so soon upon another one that nobody says it comes before the rest is over."""
    assert SILENCE_SECONDS < FIRST_SECONDS
