"""Proof of the rollups: raw = hourly = daily, each coarser grain of both, and the sums by what usage was for; row by row, one
UTC day at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from accounts.periods import Period, one_day
from metering.rollups import partitions
from metering.rollups.run import RAW_ATTRIBUTED_SQL, RAW_HOURS_SQL, bounds_of
from metering.rollups.tables import (
    ATTRIBUTED_DAILY,
    ATTRIBUTED_HOURLY,
    DAILY,
    HOURLY,
    IN_DAYS,
    IN_HOURS,
    MONTHLY,
    OF_DAYS,
    OF_HOURS,
    VALUE_DAILY,
    VALUE_HOURLY,
    VALUE_MONTHLY,
    VALUE_TOTALS,
    WITH_PARTS,
    WITH_SKU,
    Rollup,
)

IN_MONTH: Final = "month = %(first_day)s"


def _layer(name: str, finer: Rollup, coarser: Rollup, *, finer_in: str, join: str = "") -> tuple[str, str, str]:
    """The layer that a table is the sum of, and the table's rows."""
    in_coarser = {"hour": IN_HOURS, "day": IN_DAYS, "month": IN_MONTH}
    when = next(bounds for column, bounds in in_coarser.items() if column in coarser.key.split(", "))
    return name, coarser.sums_of(f"{finer.table} {join}", when=finer_in), coarser.stored(when)


LAYERS: Final = (
    ("raw = hourly", RAW_HOURS_SQL, HOURLY.stored(IN_HOURS)),
    _layer("hourly = daily", HOURLY, DAILY, finer_in=IN_HOURS),
    *(_layer(f"hourly = {whose} hourly", HOURLY, coarser, finer_in=IN_HOURS) for whose, coarser in OF_HOURS.items()),
    *(_layer(f"daily = {whose}", DAILY, coarser, finer_in=IN_DAYS) for whose, coarser in OF_DAYS.items()),
    ("raw = attributed hourly", RAW_ATTRIBUTED_SQL, ATTRIBUTED_HOURLY.stored(IN_HOURS)),
    _layer("attributed hourly = attributed daily", ATTRIBUTED_HOURLY, ATTRIBUTED_DAILY, finer_in=IN_HOURS),
    _layer("attributed hourly = value hourly", ATTRIBUTED_HOURLY, VALUE_HOURLY, finer_in=IN_HOURS, join=WITH_PARTS),
    _layer("value hourly = value daily", VALUE_HOURLY, VALUE_DAILY, finer_in=IN_HOURS),
)
MONTHS: Final = (
    _layer("daily = monthly", DAILY, MONTHLY, finer_in=IN_DAYS),
    _layer("value daily = value monthly", VALUE_DAILY, VALUE_MONTHLY, finer_in=IN_DAYS),
    _layer("value daily = value totals", VALUE_DAILY, VALUE_TOTALS, finer_in=IN_DAYS, join=WITH_SKU),
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


def prove_month(cursor: Any, month: Period) -> Iterator[Drift]:
    """Compare the rows of a month with the days of it."""
    for layer, expected, stored in MONTHS:
        yield compare(cursor, month, layer, expected, stored)
