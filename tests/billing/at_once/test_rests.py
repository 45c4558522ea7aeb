"""Rests between runs grow while events keep coming, up to what the operator allows."""

from collections.abc import Iterable

import pytest
from pytest_django import Settings

from billing.at_once.rests import CALM_SECONDS, FIRST_SECONDS, Rests, until_calm
from metering.rollups.arrivals import SILENCE_SECONDS


def test_rests_grow_from_the_first_to_the_longest(settings: Settings) -> None:
    settings.ROLL_UP_REST_SECONDS = 0.2
    rests = Rests()
    found = [rests.next() for _ in range(8)]
    assert abs(found[0] - FIRST_SECONDS) < 1e-9
    assert found == sorted(found)
    assert found[2] > found[1] > found[0]
    assert found[-1] == 0.2


def test_a_long_run_is_followed_by_a_short_rest(settings: Settings) -> None:
    settings.ROLL_UP_REST_SECONDS = 0.2
    clock = [100.0]
    rests = Rests(lambda: clock[0])

    def rest_after(run_seconds: float) -> float:
        clock[0] += run_seconds
        rest = rests.next()
        clock[0] += rest
        return round(rest, 9)

    assert [rest_after(0) for _ in range(5)][-1] == 0.2
    assert rest_after(0.03) == 0.17
    assert rest_after(0.3) == FIRST_SECONDS
    assert rest_after(0.03) == 0.17


def test_without_rests_there_are_none(settings: Settings) -> None:
    settings.ROLL_UP_REST_SECONDS = 0
    rests = Rests()
    assert [rests.next() for _ in range(3)] == [0, 0, 0]


def test_what_is_not_said_is_found_by_the_next_look() -> None:
    """A batch that follows so soon upon another one that nobody says it comes before the rest is over."""
    assert SILENCE_SECONDS < FIRST_SECONDS


@pytest.mark.parametrize(
    ("newest", "waits"),
    [([7, 7], 1), ([7, 8, 9, 9], 3), ([None, None], 1), (range(100), round(FIRST_SECONDS / CALM_SECONDS))],
    ids=["alone", "together", "nothing", "without end"],
)
def test_a_run_begins_when_no_batch_follows_or_after_the_first_rest(newest: Iterable[int | None], waits: int) -> None:
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return False

    until_calm(iter(newest).__next__, wait)
    assert waited == [CALM_SECONDS] * waits


def test_who_is_to_stop_does_not_wait_for_calm() -> None:
    until_calm(iter([1]).__next__, lambda _: True)
