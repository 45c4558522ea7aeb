"""Proof of the rollups: raw = hourly = daily, each coarser grain of both, and the sums by what usage was for; row by row, one
UTC day at a time."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction

from accounts.installation import time_limits
from accounts.periods import Period, one_day
from metering.cluster.state import is_distributed, parts_table
from metering.rollups import completeness, partitions
from metering.rollups.run import RAW_ATTRIBUTED_SQL, RAW_HOURS_SQL, bounds_of, lock
from metering.rollups.tables import (
    ATTRIBUTED_DAILY,
    ATTRIBUTED_HOURLY,
    ATTRIBUTED_TOTALS,
    COLUMNS,
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


IN_COARSER: Final = {"hour": IN_HOURS, "day": IN_DAYS, "month": IN_MONTH}


def _layer(name: str, finer: Rollup, coarser: Rollup, *, finer_in: str, join: str = "") -> tuple[str, str, Rollup]:
    """The layer that a table is the sum of, and the table."""
    return name, coarser.sums_of(f"{finer.table} {join}", when=finer_in), coarser


LAYERS: Final = (
    ("raw = hourly", RAW_HOURS_SQL, HOURLY),
    _layer("hourly = daily", HOURLY, DAILY, finer_in=IN_HOURS),
    *(_layer(f"hourly = {whose} hourly", HOURLY, coarser, finer_in=IN_HOURS) for whose, coarser in OF_HOURS.items()),
    *(_layer(f"daily = {whose}", DAILY, coarser, finer_in=IN_DAYS) for whose, coarser in OF_DAYS.items()),
    ("raw = attributed hourly", RAW_ATTRIBUTED_SQL, ATTRIBUTED_HOURLY),
    _layer("attributed hourly = attributed daily", ATTRIBUTED_HOURLY, ATTRIBUTED_DAILY, finer_in=IN_HOURS),
    _layer("attributed hourly = value hourly", ATTRIBUTED_HOURLY, VALUE_HOURLY, finer_in=IN_HOURS, join=WITH_PARTS),
    _layer("value hourly = value daily", VALUE_HOURLY, VALUE_DAILY, finer_in=IN_HOURS),
)
MONTHS: Final = (
    _layer("daily = monthly", DAILY, MONTHLY, finer_in=IN_DAYS),
    _layer(
        "attributed daily = attributed totals", ATTRIBUTED_DAILY, ATTRIBUTED_TOTALS, finer_in=IN_DAYS, join=WITH_SKU
    ),
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
    """Compare the layers of one day. The caller's transaction is in `one_view`, so that ingest may go on meanwhile."""
    bounds = completeness.with_rolled_up(cursor, bounds_of(day))
    names = {"is_rolled_up": completeness.is_rolled_up(), "parts": parts_table()}
    for layer, expected, coarser in LAYERS:
        yield _compare(cursor, day, layer, (expected.format(**names), coarser), bounds)


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
    for layer, expected, coarser in MONTHS:
        yield _compare(cursor, month, layer, (expected, coarser), bounds_of(month))


@contextmanager
def one_view() -> Iterator[Any]:
    """A transaction that sees all layers as they were at one moment.

    The machines of a cluster have no moment in common: there no run of rollups goes on meanwhile.
    """
    is_whole = not is_distributed()  # asked outside, because the level is said before anything else
    with transaction.atomic(), connection.cursor() as cursor:
        if not is_whole:
            lock(cursor, wait=True)
        else:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        time_limits.take_long(cursor)
        yield cursor


def _compare(cursor: Any, period: Period, layer: str, rows: tuple[str, Rollup], bounds: Mapping[str, Any]) -> Drift:
    """Compare what a query expects in a table of sums with what is there, row by row, and where the rows are."""
    expected, rollup = rows
    columns = f"{rollup.key}, {COLUMNS}"
    when = next(bounds for column, bounds in IN_COARSER.items() if column in rollup.key.split(", "))
    cursor.execute(
        f"""
        SELECT coalesce(sum(num_stored), 0), coalesce(sum(abs(num_stored - num_expected)), 0)
        FROM (
            SELECT {columns}, count(*) FILTER (WHERE is_stored) AS num_stored,
                count(*) FILTER (WHERE NOT is_stored) AS num_expected
            FROM (
                SELECT {columns}, false AS is_stored FROM ({expected}) AS expected
                UNION ALL SELECT {columns}, true FROM {rollup.table} WHERE {when}
            ) AS rows
            GROUP BY {columns}
        ) AS counted
        """,
        bounds,
    )
    num_rows, num_different = cursor.fetchone()
    return Drift(period, layer, int(num_rows), int(num_different))
