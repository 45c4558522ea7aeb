"""The bars of a chart along its axis: the days of a month, the hours of a day, or the minutes of an hour, all UTC."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.conf import settings

from accounts.periods import midnight
from metering.display import short_day
from metering.usage.queries import Slot, Step, UsageQuery

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
    """All bars of the period in order, those that have begun, and those that are over. Days are dates, hours and minutes
    moments in UTC.

    `begun` goes as far as there is usage: an event may be a little ahead of the clock, and what the total counts has a bar.
    `opens`: the next smaller step is still known.
    """

    step: Step
    slots: tuple[Slot, ...]
    begun: tuple[Slot, ...]
    opens: bool
    ended: tuple[Slot, ...] = ()

    @property
    def width(self) -> timedelta:
        return WIDTHS[self.step]


def axis_of(query: UsageQuery, now: datetime, used: Iterable[Slot] = ()) -> Axis:
    """The bars of the query; `used` are those that have usage."""
    width = WIDTHS[query.step]
    slots: tuple[Slot, ...] = tuple(query.period.days())
    if query.step != Step.DAY:
        slots = tuple(query.start_at + n * width for n in range((query.end_at - query.start_at) // width))
    has_usage = set(used)
    last = max((n for n, slot in enumerate(slots) if slot in has_usage or _moment(slot) <= now), default=-1)
    opens = query.step == Step.DAY or (query.step == Step.HOUR and has_minutes(query.period.start, now.date()))
    ended = tuple(slot for slot in slots if _moment(slot) + width <= now)
    return Axis(query.step, slots, slots[: last + 1], opens, ended)


def _moment(slot: Slot) -> datetime:
    return slot if isinstance(slot, datetime) else midnight(slot)


def has_minutes(day: date, today: date) -> bool:
    """Whether the raw events of a day are kept."""
    return day >= today - timedelta(days=settings.USAGE_EVENT_RETENTION_DAYS)


def label(slot: Slot) -> str:
    """'Nov 4' for a day, '13:05' for an hour or minute."""
    return f"{slot:%H:%M}" if isinstance(slot, datetime) else short_day(slot)
