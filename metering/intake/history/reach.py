"""How far back a first load of history may go, beyond the age at which events are accepted otherwise."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Self

from django.conf import settings

from accounts.pages.words import counted
from accounts.periods import midnight, month_of
from apikeys.histories.histories import days_of_intake
from metering.intake.formats.events import Refusal
from metering.models import OrganizationDailyUsage
from metering.rollups.proof import days_with_events

DROPPED: Final = Refusal(
    "day_dropped",
    "The single events of this day have been dropped, so that it could not be told whether this one was among them.",
)


@dataclass(frozen=True, slots=True)
class Reach:
    """Events from `oldest` on are taken, unless their organization's month is in `invoiced`, or their UTC day in `dropped`.

    A day is only open as long as its single events are kept: without them the same event would count a second time.
    """

    oldest: datetime
    invoiced: AbstractSet[tuple[int, date]]
    """(organization, first day of a month) that a final invoice covers."""
    dropped: AbstractSet[date]

    @classmethod
    def at(cls, now: datetime, *, invoiced: AbstractSet[tuple[int, date]]) -> Self:
        """As far back as single events are kept (USAGE_EVENT_RETENTION_DAYS)."""
        first, usual = oldest_day(now), now.date() - timedelta(days=settings.USAGE_EVENT_MAX_AGE_DAYS)
        counted_days = OrganizationDailyUsage.objects.filter(day__gte=first, day__lte=usual)
        kept = {day.start for day in days_with_events()}
        dropped = set(counted_days.values_list("day", flat=True).distinct()) - kept
        return cls(midnight(first), invoiced, frozenset(dropped))

    def refusal(self, organization_id: int, at: datetime) -> Refusal | None:
        """Why an event of this moment, at or after `oldest`, is not taken in the organization; None if it is."""
        day = at.date()
        if day in self.dropped:
            return DROPPED
        month = month_of(day).start
        if (organization_id, month) in self.invoiced:
            return Refusal("invoiced", f"A final invoice covers the organization's usage of {month:%B %Y}.")
        return None

    def too_old(self, at: datetime) -> Refusal:
        """For an event from before `oldest`."""
        days = counted(days_of_intake(), "day")
        return Refusal(
            "too_old", f"Events are kept for {days}, so that none counts twice; this one is from {at.isoformat()}."
        )


def oldest_day(now: datetime) -> date:
    """The first UTC day whose single events are not dropped in the next hours either."""
    return now.date() - timedelta(days=days_of_intake() - 1)
