"""The one calendar: UTC days and months, half-open, and the texts that name them."""

from datetime import UTC, date, datetime, timedelta

import pytest

from accounts.periods import (
    Period,
    is_known,
    midnight,
    month_of,
    next_month,
    one_day,
    parse_day,
    parse_month,
    previous_month,
)

NOVEMBER = month_of(date(2026, 11, 14))


def test_a_month_begins_with_its_first_day_and_ends_before_the_next_one() -> None:
    assert Period(date(2026, 11, 1), date(2026, 12, 1)) == NOVEMBER
    assert NOVEMBER.num_days == 30
    assert date(2026, 11, 30) in NOVEMBER
    assert date(2026, 12, 1) not in NOVEMBER


def test_a_period_is_the_moments_from_midnight_to_midnight_in_utc() -> None:
    day = one_day(date(2026, 11, 14))
    assert (day.start_at, day.end_at) == (
        datetime(2026, 11, 14, tzinfo=UTC),
        datetime(2026, 11, 15, tzinfo=UTC),
    )
    assert midnight(date(2026, 11, 14)) == day.start_at


@pytest.mark.parametrize("days", [0, -1])
def test_a_period_without_a_day_is_refused(days: int) -> None:
    with pytest.raises(ValueError, match="must end after it starts"):
        Period(date(2026, 11, 14), date(2026, 11, 14) + timedelta(days=days))


def test_months_follow_each_other_without_a_gap_for_centuries() -> None:
    month = month_of(date(2000, 1, 1))
    while month.start.year < 2101:
        after = next_month(month)
        assert after.start == month.end
        assert previous_month(after) == month
        month = after


@pytest.mark.parametrize(("month", "num_days"), [("2024-02", 29), ("2026-02", 28), ("2100-02", 28), ("2000-02", 29)])
def test_february_has_the_days_of_its_year(month: str, num_days: int) -> None:
    found = parse_month(month)
    assert found is not None
    assert [day.day for day in found.days()] == list(range(1, num_days + 1))


def test_every_day_of_a_leap_year_is_read_as_it_is_written() -> None:
    for day in Period(date(2024, 1, 1), date(2025, 1, 1)).days():
        assert parse_day(f"{day}") == day
        assert parse_month(f"{day:%Y-%m}") == month_of(day)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11",
        "2026-11-31",
        "2026-02-29",
        "2026-1-1",
        "20261114",
        "2026-W46-6",
        "2026-11-14T00:00",
        " 2026-11-14",
    ],
)
def test_what_is_no_day_is_none(text: str) -> None:
    assert parse_day(text) is None


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-00", "2026-1", "2026-11-14", "202611", "2026-11\n"])
def test_what_is_no_month_is_none(text: str) -> None:
    assert parse_month(text) is None


@pytest.mark.parametrize("text", ["٢٠٢٦-11-14", "2026-11-1４"])
def test_digits_of_other_scripts_are_no_day(text: str) -> None:
    assert parse_day(text) is None


def test_the_calendar_has_the_years_2000_to_2999() -> None:
    first, last = date(2000, 1, 1), date(2999, 12, 31)
    assert is_known(first)
    assert is_known(last)
    assert parse_day("1999-12-31") is None
    assert parse_day("3000-01-01") is None
    assert parse_month("1999-12") is None
    assert parse_month("3000-01") is None
    assert next_month(month_of(last)).start == date(3000, 1, 1)


def test_periods_are_in_the_order_of_time() -> None:
    days = [one_day(date(2026, 11, number)) for number in (3, 1, 2)]
    assert [day.start.day for day in sorted(days)] == [1, 2, 3]
