"""What a scrape reads of the database and the broker: a few short queries whose work has bounds, and which lock nothing.

All of it is in stores that the processes share, so every process of web gives the same answer.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction

from accounts.clock import database_now
from accounts.periods import month_of
from metering.intake.received.writing import EVER
from metering.models import Verification
from metering.rollups.freshness import complete_through
from usage_dashboard.models import LeadingOrganization
from usage_dashboard.monitoring.broker import queue_lengths
from usage_dashboard.monitoring.leading import leading

MOST_COUNTED: Final = 10_000
"""Of what waits so many are counted, so that a scrape costs no more while more waits."""

EVENTS_SQL: Final = f"""
SELECT source, kind, sum(number)::bigint FROM metering_ingestcount WHERE grain = '{EVER}' GROUP BY 1, 2 ORDER BY 1, 2
"""
TIMINGS_SQL: Final = """
SELECT kind, name, outcome, at_most, number, seconds FROM usage_dashboard_timing ORDER BY kind, name, outcome, at_most
"""
BATCHES_SQL: Final = """
SELECT count(*) FROM (SELECT FROM metering_ingestbatch WHERE rolled_up_at IS NULL LIMIT %s) AS waiting
"""
CONNECTIONS_SQL: Final = """
SELECT coalesce(state, 'other'), count(*), current_setting('max_connections')::int
FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' GROUP BY 1 ORDER BY 1
"""
DELIVERIES_SQL: Final = """
SELECT
    CASE WHEN endpoint_id IS NULL THEN 'email' ELSE 'webhook' END,
    count(*) FILTER (WHERE num_attempts = 0), count(*) FILTER (WHERE num_attempts > 0),
    coalesce(greatest(extract(epoch FROM statement_timestamp() - min(next_attempt_at)), 0), 0)::float
FROM (
    SELECT endpoint_id, num_attempts, next_attempt_at FROM billing_delivery
    WHERE next_attempt_at IS NOT NULL ORDER BY next_attempt_at LIMIT %s
) AS waiting GROUP BY 1 ORDER BY 1
"""
WEBHOOKS_SQL: Final = """
SELECT
    count(*) FILTER (WHERE failing_since IS NOT NULL AND switched_off_at IS NULL),
    count(*) FILTER (WHERE switched_off_at IS NOT NULL)
FROM billing_webhookendpoint WHERE disabled_at IS NULL
"""
FAILED_SQL: Final = """
SELECT task, CASE WHEN next_attempt_at IS NULL THEN 'given up' ELSE 'waiting' END, count(*)
FROM metering_faileditem GROUP BY 1, 2 ORDER BY 1, 2
"""
# A message in the log: with it, the commit waits until all is on disk that this transaction saw. Else a crash of the database
# could take back what others had committed without waiting, and a counter that was told here would become less.
ON_DISK_SQL: Final = "SELECT pg_logical_emit_message(true, 'metrics', '')"


@dataclass(frozen=True, slots=True)
class TimingRow:
    """So many requests or runs of a task were in a bucket, and took so many seconds together."""

    kind: str
    name: str
    outcome: str
    at_most: float
    number: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Emails or webhooks that wait. `overdue_seconds`: how long the one that is due longest has been."""

    kind: str
    num_new: int
    num_tried: int
    overdue_seconds: float


@dataclass(frozen=True, slots=True)
class Readings:
    """What one scrape tells. `queues` is None while the broker does not answer; `proof` is the last one that ended."""

    events: list[tuple[str, str, int]]
    timings: list[TimingRow]
    lag_seconds: float
    num_waiting_batches: int
    queues: dict[str, int] | None
    connections: list[tuple[str, int]]
    most_connections: int
    deliveries: list[Deliveries]
    num_webhooks_failing: int
    num_webhooks_off: int
    failed_items: list[tuple[str, str, int]]
    proof: Verification | None
    organizations: list[LeadingOrganization]
    organizations_measured_at: datetime | None


def read() -> Readings:
    """All of it, read anew. Raises django.db.DatabaseError where the database is away, or too slow (METRICS_TIMEOUT_SECONDS)."""
    queues = queue_lengths()  # outside of any transaction
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {round(settings.METRICS_TIMEOUT_SECONDS * 1000)}")
        cursor.execute(ON_DISK_SQL)
        now, complete = database_now(), complete_through()
        connections = _rows(cursor, CONNECTIONS_SQL)
        ((failing, off),) = _rows(cursor, WEBHOOKS_SQL)
        organizations = leading(month_of(now.date()).start)
        return Readings(
            events=_rows(cursor, EVENTS_SQL),
            timings=[TimingRow(*row) for row in _rows(cursor, TIMINGS_SQL)],
            lag_seconds=max(0.0, (now - complete).total_seconds()),
            num_waiting_batches=_rows(cursor, BATCHES_SQL, MOST_COUNTED)[0][0],
            queues=queues,
            connections=[(state, number) for state, number, _ in connections],
            most_connections=connections[0][2],
            deliveries=[Deliveries(*row) for row in _rows(cursor, DELIVERIES_SQL, MOST_COUNTED)],
            num_webhooks_failing=failing,
            num_webhooks_off=off,
            failed_items=_rows(cursor, FAILED_SQL),
            proof=Verification.objects.filter(finished_at__isnull=False).order_by("-pk").first(),
            organizations=organizations,
            organizations_measured_at=organizations[0].measured_at if organizations else None,
        )


def _rows(cursor: Any, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    cursor.execute(sql, parameters)
    return list(cursor.fetchall())
