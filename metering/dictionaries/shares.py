"""Who may have something new stored for ever: each organization some, so that none takes the room of the others."""

from collections import Counter
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Any, Final, TypeVar

from django.db.models import Count, QuerySet

from accounts.clock import database_now
from accounts.periods import midnight

NOBODYS: Final[AbstractSet[int]] = frozenset()
"""The organizations of what none has brought, and what has no limit therefore."""
One = TypeVar("One")


def share(new: Mapping[One, AbstractSet[int]], brought: Mapping[int, int], most: int) -> dict[One, int | None]:
    """What is stored of what is new, each for one of the organizations whose usage is of it: the one that has brought the
    least, if that is less than `most`. In the order of `new`."""
    count = Counter(brought)
    stored: dict[One, int | None] = {}
    for one, organization_ids in new.items():
        if not organization_ids:
            stored[one] = None
            continue
        organization_id = min(sorted(organization_ids), key=count.__getitem__)
        if count[organization_id] < most:
            count[organization_id] += 1
            stored[one] = organization_id
    return stored


def brought_today(rows: QuerySet[Any], new: Collection[AbstractSet[int]], *, by: str, at: str) -> dict[int, int]:
    """How many of these rows each of the organizations of what is new has brought on this UTC day: `by` and `at` are the columns
    that say so."""
    today = midnight(database_now().date())
    organizations = {organization_id for ids in new for organization_id in ids}
    of_today = {f"{by}__in": organizations, f"{at}__gte": today, f"{at}__lt": today + timedelta(days=1)}
    return dict(rows.filter(**of_today).values_list(by).annotate(Count("id")))
