"""Proof of the rollups: raw = hourly = daily = organization daily, row by row, one UTC day at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from metering import partitions
from metering.periods import Period, one_day
from metering.rollups import (
    COLUMNS,
    DAILY,
    DAY,
    HOURLY,
    MONTH_FROM_DAYS_SQL,
    MONTHLY,
    ORGANIZATION_DAILY,
    RAW_HOURS_SQL,
    SUMS,
    bounds_of,
)

STORED_HOURS: Final = f"SELECT {HOURLY.key}, {COLUMNS} FROM {HOURLY.table} WHERE hour >= %(start)s AND hour < %(end)s"
STORED_DAYS: Final = f"SELECT {DAILY.key}, {COLUMNS} FROM {DAILY.table} WHERE day = %(first_day)s"
STORED_ORGANIZATION_DAYS: Final = (
    f"SELECT {ORGANIZATION_DAILY.key}, {COLUMNS} FROM {ORGANIZATION_DAILY.table} WHERE day = %(first_day)s"
)
STORED_MONTHS: Final = f"SELECT {MONTHLY.key}, {COLUMNS} FROM {MONTHLY.table} WHERE month = %(first_day)s"
DAYS_FROM_HOURS: Final = f"""
SELECT organization_id, {DAY} AS day, user_id, api_key_id, sku_id, {SUMS}
FROM {HOURLY.table} WHERE hour >= %(start)s AND hour < %(end)s GROUP BY 1, 2, 3, 4, 5
"""
ORGANIZATION_DAYS_FROM_DAYS: Final = f"""
SELECT organization_id, day, sku_id, {SUMS} FROM {DAILY.table} WHERE day = %(first_day)s GROUP BY 1, 2, 3
"""
LAYERS: Final = (
    ("raw = hourly", RAW_HOURS_SQL, STORED_HOURS),
    ("hourly = daily", DAYS_FROM_HOURS, STORED_DAYS),
    ("daily = organization", ORGANIZATION_DAYS_FROM_DAYS, STORED_ORGANIZATION_DAYS),
)


@dataclass(frozen=True, slots=True)
class Drift:
    """What one comparison of one day or month found: how many rows there are, and how many differ or are on one side only."""

    period: Period
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


def compare(cursor: Any, period: Period, layer: str, expected: str, stored: str) -> Drift:
    """Compare two queries with the same columns, of one day or month, row by row."""
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
        bounds_of(period),
    )
    num_rows, num_different = cursor.fetchone()
    return Drift(period, layer, num_rows, num_different)


def verify_month(cursor: Any, month: Period) -> Drift:
    """Compare the monthly rows with the days of their month."""
    return compare(cursor, month, "daily = monthly", MONTH_FROM_DAYS_SQL, STORED_MONTHS)
