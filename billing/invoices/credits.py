"""Which credit grant paid how much of which day's cost. Pure: the same costs and grants always give the same answer.

A grant pays only usage of its own life time, [effective_at, expires_at) cut short by voided_at. Costs are known per UTC
day, so a grant pays the days that lie wholly inside its life time. Grants that could pay the same day do so in order of
expiry (those without one last), then priority (the smaller number first), then start.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

ZERO: Final = Decimal(0)
FAR_FUTURE: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Grant:
    """A promise to pay up to `amount` dollars of usage."""

    id: int
    amount: Decimal
    effective_at: datetime
    expires_at: datetime | None = None
    voided_at: datetime | None = None
    priority: int = 50

    @property
    def ends_at(self) -> datetime:
        return min(self.expires_at or FAR_FUTURE, self.voided_at or FAR_FUTURE)

    def covers(self, day: date) -> bool:
        """Whether the whole UTC day lies in the life time."""
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return self.effective_at <= start and start + timedelta(days=1) <= self.ends_at


@dataclass(frozen=True)
class Payment:
    """`amount` > 0 dollars of one day's cost, paid by one grant."""

    day: date
    grant_id: int
    amount: Decimal


class GrantState(StrEnum):
    """What a grant is good for at a moment."""

    AVAILABLE = "Available"
    UPCOMING = "Upcoming"
    USED_UP = "Used up"
    EXPIRED = "Expired"
    VOIDED = "Voided"


def pay(costs: Mapping[date, Decimal], grants: Iterable[Grant]) -> tuple[Payment, ...]:
    """Lets the grants pay the costs, day by day. A day with a cost below zero is paid by nobody and refills no grant."""
    ordered = sorted(grants, key=_paying_order)
    remaining = {grant.id: grant.amount for grant in ordered}
    payments: list[Payment] = []
    for day in sorted(costs):
        payments.extend(_pay_day(day, costs[day], ordered, remaining))
    return tuple(payments)


def _paying_order(grant: Grant) -> tuple[datetime, int, datetime, int]:
    return (grant.expires_at or FAR_FUTURE, grant.priority, grant.effective_at, grant.id)


def _pay_day(day: date, cost: Decimal, grants: Sequence[Grant], remaining: dict[int, Decimal]) -> Iterable[Payment]:
    for grant in grants:
        amount = min(cost, remaining[grant.id])
        if amount > 0 and grant.covers(day):
            remaining[grant.id] -= amount
            cost -= amount
            yield Payment(day, grant.id, amount)


def used_by(payments: Iterable[Payment]) -> dict[int, Decimal]:
    """Grant id → dollars that it paid."""
    used: dict[int, Decimal] = {}
    for payment in payments:
        used[payment.grant_id] = used.get(payment.grant_id, ZERO) + payment.amount
    return used


def state_of(grant: Grant, used: Decimal, now: datetime) -> GrantState:
    """Voided and used up say more than expired, so they win."""
    if grant.voided_at is not None and grant.voided_at <= now:
        return GrantState.VOIDED
    if used >= grant.amount:
        return GrantState.USED_UP
    if grant.expires_at is not None and grant.expires_at <= now:
        return GrantState.EXPIRED
    return GrantState.UPCOMING if grant.effective_at > now else GrantState.AVAILABLE
