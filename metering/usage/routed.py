"""Why usage is where it is: a day's stored events, summed by the rule that routed them and by what they were for.

The words are those of `apikeys.coverage.explanation`. The one look into raw events, bounded to a day; they are kept for
USAGE_EVENT_RETENTION_DAYS.
"""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.db.models import Case, F, Q, Sum, Value, When
from django.db.models.functions import Coalesce

from accounts.access import Sight
from accounts.periods import Period
from apikeys.coverage.explanation import explain
from apikeys.routing import ATTRIBUTED
from metering.models import MonthlyUsage, UsageEvent
from metering.usage.groupings import API_KEY, UNTRACKED, USER
from metering.usage.names import names_of
from metering.usage.what_for import WhatFor, what_for

MAX_ROWS: Final = 200


@dataclass(frozen=True)
class RoutedUsage:
    """Requests of a day that one rule routed, with the sentence that says which, and what they were for."""

    organization: str
    user: str
    key: str
    requests: int
    sentence: str
    what_for: WhatFor
    """Empty for what is of the default project and has no values."""


@dataclass(frozen=True)
class UsersMonth:
    """A user's requests in an organization and month, and how many of them read Untracked."""

    requests: int
    untracked: int


def routed_usage(
    sight: Sight,
    day: Period,
    *,
    reader_id: int | None,
    user_ids: Collection[int] = (),
    api_key_ids: Collection[int] = (),
) -> list[RoutedUsage]:
    """The largest first, MAX_ROWS at most; without ids, of all users and keys. Someone else's key that reads Untracked is not
    named, and its usage is not found by the key. `reader_id`: the person who reads; None for a program."""
    organizations = {found.id: found for found in sight.organizations}
    rows = _sums(sight, day, reader_id=reader_id, user_ids=user_ids, api_key_ids=api_key_ids)
    names = names_of(
        {USER: {row["user_id"] for row in rows}, API_KEY: {row["shown_key"] for row in rows} - {UNTRACKED}}
    )
    parts = what_for({row["attribution_id"] for row in rows})
    return [
        RoutedUsage(
            organization=organizations[row["organization_id"]].name,
            user=names.of(USER, row["user_id"]).name,
            key=names.of(API_KEY, row["shown_key"]).name,
            requests=int(row["requests"]),
            sentence=explain(
                row["routing"],
                organization=organizations[row["organization_id"]].name,
                owner="your" if row["user_id"] == reader_id else "the user's",
            ),
            what_for=parts.get(row["attribution_id"], ()),
        )
        for row in rows
    ]


def months_of_users(organization_id: int, month: Period) -> dict[int, UsersMonth]:
    """Who used the API in the organization in a calendar month, by user id, from the monthly rollup."""
    rows = (
        MonthlyUsage.objects.filter(organization_id=organization_id, month=month.start)
        .values("user_id")
        .annotate(
            requests=Sum("num_model_requests"),
            untracked=Coalesce(Sum("num_model_requests", filter=Q(api_key_id=UNTRACKED)), Value(Decimal(0))),
        )
    )
    return {row["user_id"]: UsersMonth(int(row["requests"]), int(row["untracked"])) for row in rows}


def _sums(
    sight: Sight, day: Period, *, reader_id: int | None, user_ids: Collection[int], api_key_ids: Collection[int]
) -> list[dict[str, Any]]:
    events = UsageEvent.objects.filter(
        organization_id__in=[found.id for found in sight.organizations],
        occurred_at__gte=day.start_at,
        occurred_at__lt=day.end_at,
    )
    if user_ids:
        events = events.filter(user_id__in=user_ids)
    shown = events.annotate(attributed=F("routing").bitand(int(ATTRIBUTED))).annotate(
        shown_key=Case(When(attributed=int(ATTRIBUTED), then=F("api_key_id")), default=Value(UNTRACKED))
    )
    if api_key_ids:
        by_key = Q(shown_key__in=api_key_ids)
        if reader_id is not None:
            by_key |= Q(api_key_id__in=api_key_ids, user_id=reader_id)
        shown = shown.filter(by_key)
    sums = shown.values("organization_id", "user_id", "shown_key", "routing", "attribution_id").annotate(
        requests=Coalesce(Sum("num_model_requests"), Value(0))
    )
    ordered = sums.order_by("-requests", "user_id", "shown_key", "routing", "attribution_id")[:MAX_ROWS]
    return [dict(row) for row in ordered]
