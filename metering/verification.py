"""Proof of the rollups: raw = hourly = daily = organization daily, row by row, one UTC day at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from metering import partitions
from metering.periods import Period, one_day
from metering.rollups import COLUMNS, DAILY, DAY, HOURLY, ORGANIZATION_DAILY, RAW_HOURS_SQL, SUMS

STORED_HOURS: Final = f"SELECT {HOURLY.key}, {COLUMNS} FROM {HOURLY.table} WHERE hour >= %(start)s AND hour < %(end)s"
STORED_DAYS: Final = f"SELECT {DAILY.key}, {COLUMNS} FROM {DAILY.table} WHERE day = %(day)s"
STORED_ORGANIZATION_DAYS: Final = (
    f"SELECT {ORGANIZATION_DAILY.key}, {COLUMNS} FROM {ORGANIZATION_DAILY.table} WHERE day = %(day)s"
)
DAYS_FROM_HOURS: Final = f"""
SELECT organization_id, {DAY} AS day, user_id, api_key_id, sku_id, {SUMS}
FROM {HOURLY.table} WHERE hour >= %(start)s AND hour < %(end)s GROUP BY 1, 2, 3, 4, 5
"""
ORGANIZATION_DAYS_FROM_DAYS: Final = f"""
SELECT organization_id, day, sku_id, {SUMS} FROM {DAILY.table} WHERE day = %(day)s GROUP BY 1, 2, 3
"""
LAYERS: Final = (
    ("raw = hourly", RAW_HOURS_SQL, STORED_HOURS),
    ("hourly = daily", DAYS_FROM_HOURS, STORED_DAYS),
    ("daily = organization", ORGANIZATION_DAYS_FROM_DAYS, STORED_ORGANIZATION_DAYS),
)


@dataclass(frozen=True, slots=True)
class Drift:
    """What one comparison of one day found: how many rows there are, and how many differ or are on one side only."""

    day: Period
    layer: str
    num_rows: int
    num_different: int


def days_with_events() -> list[Period]:
    """The UTC days whose raw events are kept, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1",
            [partitions.TABLE],
        )
        return [one_day(partitions.day_of(name)) for (name,) in cursor.fetchall()]


def verify_day(cursor: Any, day: Period) -> Iterator[Drift]:
    """Compare the layers of one day. The caller's transaction is REPEATABLE READ, so that ingest may go on meanwhile."""
    for layer, expected, stored in LAYERS:
        yield compare(cursor, day, layer, expected, stored)


def compare(cursor: Any, day: Period, layer: str, expected: str, stored: str) -> Drift:
    """Compare two queries with the same columns, of one day, row by row."""
    bounds = {"start": day.start_at, "end": day.end_at, "day": day.start}
    cursor.execute(
        f"""
        WITH expected AS MATERIALIZED ({expected}), stored AS MATERIALIZED ({stored})
        SELECT
            (SELECT count(*) FROM stored),
            (SELECT count(*) FROM (
                (SELECT * FROM expected EXCEPT ALL SELECT * FROM stored)
                UNION ALL (SELECT * FROM stored EXCEPT ALL SELECT * FROM expected)
            ) AS different)
        """,
        bounds,
    )
    num_rows, num_different = cursor.fetchone()
    return Drift(day, layer, num_rows, num_different)
