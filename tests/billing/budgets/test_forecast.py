"""The forecast to month end: weekdays, level, range."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.periods import Period
from billing.budgets.forecast import Forecast, forecast
from tests.money import NOVEMBER, OCTOBER

WEEK = ("10", "12", "12", "11", "9", "2", "1")
NOV_10 = date(2026, 11, 10)


def costs_of(start: date, end: date, *, week: tuple[str, ...] = WEEK) -> dict[date, Decimal]:
    return {day: Decimal(week[day.weekday()]) for day in Period(start, end).days()}


def total_of(month: Period) -> Decimal:
    return sum(costs_of(month.start, month.end).values(), start=Decimal(0))


@pytest.mark.parametrize("day", [1, 7, 10, 20, 30])
def test_usage_that_repeats_by_weekday_is_foreseen(day: int) -> None:
    today = date(2026, 11, day)
    found = forecast(costs_of(date(2026, 9, 1), today), NOVEMBER, today)
    assert found is not None
    assert abs(found.expected - total_of(NOVEMBER)) <= total_of(NOVEMBER) / 50
    assert found.low <= total_of(NOVEMBER) <= found.high


def test_steady_usage_is_foreseen_exactly_and_the_range_closes_in() -> None:
    steady = ("3",) * 7
    widths = []
    for day in (2, 15, 30):
        found = forecast(costs_of(date(2026, 9, 1), date(2026, 11, day), week=steady), NOVEMBER, date(2026, 11, day))
        assert found is not None
        assert found.expected == 90
        widths.append(found.high - found.low)
    assert widths == sorted(widths, reverse=True)


def test_a_new_level_is_followed_within_two_weeks() -> None:
    costs = costs_of(date(2026, 9, 1), date(2026, 11, 1), week=("1",) * 7)
    costs |= costs_of(date(2026, 11, 1), date(2026, 11, 16), week=("5",) * 7)
    found = forecast(costs, NOVEMBER, date(2026, 11, 16))
    assert found is not None
    assert found.expected > 120


def test_today_counts_with_what_it_has_cost_if_that_is_more() -> None:
    costs = costs_of(date(2026, 10, 1), NOV_10, week=("1",) * 7)
    usual = forecast(costs, NOVEMBER, NOV_10)
    unusual = forecast(costs | {NOV_10: Decimal(50)}, NOVEMBER, NOV_10)
    assert usual is not None
    assert unusual is not None
    assert unusual.expected - usual.expected == 49
    assert forecast(costs | {NOV_10: Decimal("0.5")}, NOVEMBER, NOV_10) == usual


def test_without_three_days_of_history_nothing_is_foreseen() -> None:
    assert forecast({}, NOVEMBER, NOV_10) is None
    assert forecast(costs_of(date(2026, 11, 8), NOV_10), NOVEMBER, NOV_10) is None
    assert forecast(costs_of(date(2026, 11, 7), NOV_10), NOVEMBER, NOV_10) is not None


def test_a_month_that_is_over_or_to_come_has_no_forecast() -> None:
    assert forecast(costs_of(date(2026, 9, 1), NOV_10), OCTOBER, NOV_10) is None


@given(
    amounts=st.lists(st.decimals("-5", "1000", places=4), min_size=31, max_size=70),
    day=st.integers(1, 30),
)
def test_the_range_holds_the_expectation_and_never_less_than_is_spent(amounts: list[Decimal], day: int) -> None:
    today = date(2026, 11, day)
    costs = {today - timedelta(days=number): amount for number, amount in enumerate(amounts)}
    found = forecast(costs, NOVEMBER, today)
    if found is not None:
        assert isinstance(found, Forecast)
        assert found.low <= found.high
        assert found.expected <= found.high
        spent = sum((costs.get(one, Decimal(0)) for one in NOVEMBER.days() if one < today), start=Decimal(0))
        assert found.expected >= (spent + min(costs.get(today, Decimal(0)), Decimal(0))).quantize(Decimal("0.01"))
