"""The bars of a chart along its axis: the days of a month, the hours of a day, or the minutes of an hour, all UTC."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.conf import settings

from metering.display import short_day
from metering.queries import Step, UsageQuery

Slot = date | datetime

WIDTHS: Final[Mapping[Step, timedelta]] = {
    Step.DAY: timedelta(days=1),
    Step.HOUR: timedelta(hours=1),
    Step.MINUTE: timedelta(minutes=1),
}
TICK_EVERY: Final[Mapping[Step, int]] = {Step.DAY: 7, Step.HOUR: 4, Step.MINUTE: 10}
# How the tooltip names a bar, in d3's time format.
TITLES: Final[Mapping[Step, str]] = {
    Step.DAY: "%a, %b %-d",
    Step.HOUR: "%b %-d, %H:00",
    Step.MINUTE: "%b %-d, %H:%M",
}
HEADINGS: Final[Mapping[Step, str]] = {Step.DAY: "Day (UTC)", Step.HOUR: "Hour (UTC)", Step.MINUTE: "Minute (UTC)"}


@dataclass(frozen=True)
class Axis:
    """All bars of the period in order, and those that have begun. Days are dates, hours and minutes moments in UTC.

    `opens`: the next smaller step is still known.
    """

    step: Step
    slots: tuple[Slot, ...]
    begun: tuple[Slot, ...]
    opens: bool

    @property
    def width(self) -> timedelta:
        return WIDTHS[self.step]


def axis_of(query: UsageQuery, now: datetime) -> Axis:
    if query.step == Step.DAY:
        days = tuple(query.period.days())
        return Axis(query.step, days, tuple(day for day in days if day <= now.date()), opens=True)
    width = WIDTHS[query.step]
    num_slots = (query.end_at - query.start_at) // width
    moments = tuple(query.start_at + n * width for n in range(num_slots))
    begun = tuple(moment for moment in moments if moment <= now)
    opens = query.step == Step.HOUR and has_minutes(query.period.start, now.date())
    return Axis(query.step, moments, begun, opens=opens)


def has_minutes(day: date, today: date) -> bool:
    """Whether the raw events of a day are kept."""
    return day >= today - timedelta(days=settings.USAGE_EVENT_RETENTION_DAYS)


def label(slot: Slot) -> str:
    """'Nov 4' for a day, '13:05' for an hour or minute."""
    return f"{slot:%H:%M}" if isinstance(slot, datetime) else short_day(slot)
