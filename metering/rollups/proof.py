"""Proof of the rollups: raw = hourly = daily, and each coarser grain of both, row by row, one UTC day at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from accounts.periods import Period, one_day
from metering.rollups import partitions
from metering.rollups.run import RAW_HOURS_SQL, bounds_of
from metering.rollups.tables import DAILY, HOURLY, IN_DAYS, IN_HOURS, MONTHLY, OF_DAYS, OF_HOURS

LAYERS: Final = (
    ("raw = hourly", RAW_HOURS_SQL, HOURLY.stored(IN_HOURS)),
    ("hourly = daily", DAILY.sums_of(HOURLY.table, when=IN_HOURS), DAILY.stored(IN_DAYS)),
    *(
        (f"hourly = {whose} hourly", coarser.sums_of(HOURLY.table, when=IN_HOURS), coarser.stored(IN_HOURS))
        for whose, coarser in OF_HOURS.items()
    ),
    *(
        (f"daily = {whose}", coarser.sums_of(DAILY.table, when=IN_DAYS), coarser.stored(IN_DAYS))
        for whose, coarser in OF_DAYS.items()
    ),
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


def prove_day(cursor: Any, day: Period) -> Iterator[Drift]:
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


def prove_month(cursor: Any, month: Period) -> Drift:
    """Compare the monthly rows with the days of their month."""
    days = MONTHLY.sums_of(DAILY.table, when=IN_DAYS)
    return compare(cursor, month, "daily = monthly", days, MONTHLY.stored("month = %(first_day)s"))
