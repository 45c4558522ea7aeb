"""What came in, as staff read it: counts of the last minutes, hours or days, the last refused items, and the rate of now."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from metering.ingestion_models import Grain, IngestCount, Kind, RefusedItem, UnknownKey

SPANS: Final = {Grain.MINUTE: 60, Grain.HOUR: 48, Grain.DAY: 30}
"""How many minutes, hours or days are read at a time, the one that runs included."""
STEPS: Final = {Grain.MINUTE: timedelta(minutes=1), Grain.HOUR: timedelta(hours=1), Grain.DAY: timedelta(days=1)}
KEPT_REFUSED: Final = timedelta(days=1)
MAX_UNKNOWN_KEYS: Final = 50
RATE_SECONDS: Final = 60
MAX_BATCHES: Final = 100_000
# The newest by id are, to the duration of a transaction, the newest by arrival, and found without an index of arrivals.
RATE_SQL: Final = """
SELECT coalesce(sum(num_events), 0)::bigint FROM (
    SELECT num_events, received_at FROM metering_ingestbatch ORDER BY id DESC LIMIT %s
) AS newest WHERE received_at > statement_timestamp() - %s * interval '1 second'
"""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent by which way in. `token_id` as in IngestCount."""

    source: str
    token_id: int


@dataclass(slots=True)
class Sums:
    """How many items were of each kind, and of each kind how many by code."""

    kinds: Counter[str] = field(default_factory=Counter)
    codes: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, row: IngestCount) -> None:
        self.kinds[row.kind] += row.number
        if row.code:
            self.codes.setdefault(row.kind, Counter())[row.code] += row.number


@dataclass(frozen=True, slots=True)
class Report:
    """Counts of a span: each row as it is, and added up by sender and by period. Every period is there, also an empty one."""

    grain: Grain
    rows: Sequence[IngestCount]
    senders: dict[Sender, Sums]
    periods: dict[datetime, Sums]


def report(grain: Grain, *, now: datetime) -> Report:
    """The counts of the last SPANS of a grain."""
    first = period_of(now, grain) - (SPANS[grain] - 1) * STEPS[grain]
    found = IngestCount.objects.filter(grain=grain.value, began_at__gte=first)
    rows = list(found.order_by("began_at", "source", "token_id", "kind", "code"))
    periods = {first + place * STEPS[grain]: Sums() for place in range(SPANS[grain])}
    senders: dict[Sender, Sums] = {}
    for row in rows:
        senders.setdefault(Sender(row.source, row.token_id), Sums()).add(row)
        periods.setdefault(row.began_at, Sums()).add(row)
    ordered = sorted(senders.items(), key=lambda found: (found[0].source, -found[1].kinds[Kind.ACCEPTED]))
    return Report(grain, rows, dict(ordered), periods)


def period_of(moment: datetime, grain: Grain) -> datetime:
    """When the minute, hour or day (UTC) of a moment began."""
    minute = moment.replace(second=0, microsecond=0)
    if grain == Grain.MINUTE:
        return minute
    return minute.replace(minute=0) if grain == Grain.HOUR else minute.replace(minute=0, hour=0)


def refused_items(*, now: datetime) -> list[RefusedItem]:
    """The last ones, the newest first."""
    return list(RefusedItem.objects.filter(at__gt=now - KEPT_REFUSED).order_by("-id"))


def unknown_keys() -> list[UnknownKey]:
    """Those that were named last."""
    return list(UnknownKey.objects.order_by("-last_seen_at", "key")[:MAX_UNKNOWN_KEYS])


def events_per_second() -> float:
    """Events that were stored in the last minute, by second."""
    with connection.cursor() as cursor:
        cursor.execute(RATE_SQL, [MAX_BATCHES, RATE_SECONDS])
        (number,) = cursor.fetchone()
    return float(number) / RATE_SECONDS
