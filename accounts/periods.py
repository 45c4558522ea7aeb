"""The one calendar: UTC days, half-open [start, end)."""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

FIRST_YEAR = 2000
LAST_YEAR = 2999


@dataclass(frozen=True, order=True)
class Period:
    """The UTC days from `start` to before `end`."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError(f"A period must end after it starts, not {self.start} to {self.end}.")

    @property
    def start_at(self) -> datetime:
        return midnight(self.start)

    @property
    def end_at(self) -> datetime:
        return midnight(self.end)

    @property
    def num_days(self) -> int:
        return (self.end - self.start).days

    def days(self) -> Iterator[date]:
        return (self.start + timedelta(days=n) for n in range(self.num_days))

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end


def midnight(day: date) -> datetime:
    """00:00 UTC of a day."""
    return datetime.combine(day, time.min, UTC)


def one_day(day: date) -> Period:
    return Period(day, day + timedelta(days=1))


def month_of(day: date) -> Period:
    """The calendar month that holds `day`."""
    start = day.replace(day=1)
    return Period(start, start + timedelta(days=calendar.monthrange(day.year, day.month)[1]))


def is_known(day: date) -> bool:
    """Whether the day is in the calendar: nothing was used before it or will be after it."""
    return FIRST_YEAR <= day.year <= LAST_YEAR


def parse_day(text: str) -> date | None:
    """'2026-11-14' → that day; None for anything else."""
    try:
        day = date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:
        return None
    return day if day is not None and is_known(day) else None


def parse_month(text: str) -> Period | None:
    """'2026-11' → that month; None for anything else."""
    match = re.fullmatch(r"([0-9]{4})-(0[1-9]|1[0-2])", text)
    if match is None or not FIRST_YEAR <= int(match[1]) <= LAST_YEAR:
        return None
    return month_of(date(int(match[1]), int(match[2]), 1))


def previous_month(month: Period) -> Period:
    return month_of(month.start - timedelta(days=1))


def next_month(month: Period) -> Period:
    return month_of(month.end)
