"""The bars along an axis: which there are, which are drawn, and what they are called."""

from datetime import UTC, date, datetime, timedelta

import pytest
from pytest_django import Settings

from accounts.periods import Period, one_day
from metering.pages.axis import axis_of, has_minutes, label
from metering.usage.queries import Slot, Step, UsageQuery

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
NOVEMBER = Period(date(2026, 11, 1), date(2026, 12, 1))


def query(period: Period, step: Step, hour: int | None = None) -> UsageQuery:
    return UsageQuery(organization_ids=(1,), period=period, step=step, hour=hour)


def test_a_month_has_a_bar_per_day_and_draws_those_that_have_begun() -> None:
    axis = axis_of(query(NOVEMBER, Step.DAY), NOW, ())
    assert axis.slots == tuple(date(2026, 11, n) for n in range(1, 31))
    assert axis.begun == axis.slots[:22]
    assert axis.width == timedelta(days=1)
    assert axis.opens


def test_a_day_that_is_over_has_all_its_hours() -> None:
    axis = axis_of(query(one_day(date(2026, 11, 20)), Step.HOUR), NOW, ())
    assert len(axis.slots) == 24
    assert axis.begun == axis.slots


def test_today_draws_the_hours_that_have_begun() -> None:
    axis = axis_of(query(one_day(date(2026, 11, 22)), Step.HOUR), NOW, ())
    assert axis.begun[-1] == datetime(2026, 11, 22, 9, tzinfo=UTC)


def test_an_hour_has_sixty_minutes() -> None:
    axis = axis_of(query(one_day(date(2026, 11, 22)), Step.MINUTE, 9), NOW, ())
    assert (axis.slots[0], axis.slots[-1]) == (
        datetime(2026, 11, 22, 9, tzinfo=UTC),
        datetime(2026, 11, 22, 9, 59, tzinfo=UTC),
    )
    assert len(axis.begun) == 31
    assert not axis.opens


@pytest.mark.parametrize(
    ("period", "step", "used", "num_drawn"),
    [
        (NOVEMBER, Step.DAY, date(2026, 11, 23), 23),
        (one_day(date(2026, 11, 22)), Step.HOUR, datetime(2026, 11, 22, 10, tzinfo=UTC), 11),
        (NOVEMBER, Step.DAY, date(2026, 11, 3), 22),
    ],
)
def test_what_is_dated_ahead_has_its_bar(period: Period, step: Step, used: Slot, num_drawn: int) -> None:
    assert len(axis_of(query(period, step), NOW, [used]).begun) == num_drawn


def test_minutes_open_as_long_as_raw_events_are_kept(settings: Settings) -> None:
    settings.USAGE_EVENT_RETENTION_DAYS = 90
    assert has_minutes(date(2026, 8, 24), date(2026, 11, 22))
    assert not has_minutes(date(2026, 8, 23), date(2026, 11, 22))
    assert not axis_of(query(one_day(date(2026, 8, 23)), Step.HOUR), NOW, ()).opens


def test_bars_are_called_by_day_or_by_time() -> None:
    assert label(date(2026, 11, 4)) == "Nov 4"
    assert label(datetime(2026, 11, 4, 13, 5, tzinfo=UTC)) == "13:05"
