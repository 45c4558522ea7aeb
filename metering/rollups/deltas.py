"""The tables of a run's sums, from which the tables of sums are brought up to date: theirs until the run's end.

On one PostgreSQL they are temporary. On a cluster they are tables that lie on the nodes, beside what they are added
to; they are there once for all, are filled and emptied by the one run at a time, and hold nothing that others can see.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from django.db import connection

from metering.cluster.state import is_distributed
from metering.measures import MEASURES
from metering.rollups.tables import (
    ATTRIBUTED_HOURLY,
    ATTRIBUTED_TOTALS,
    DAILY,
    HOURLY,
    VALUE_DAILY,
    VALUE_HOURLY,
    VALUE_TOTALS,
)

CLUSTER_TABLES: Final = {
    "attributed_delta": ATTRIBUTED_HOURLY.key,
    "attributed_total_delta": ATTRIBUTED_TOTALS.key,
    "hourly_delta": HOURLY.key,
    "daily_delta": DAILY.key,
    "value_hourly_delta": VALUE_HOURLY.key,
    "value_daily_delta": VALUE_DAILY.key,
    "value_total_delta": VALUE_TOTALS.key,
}
"""Each with the columns that stand before the measures."""
TYPES: Final = {
    **dict.fromkeys(("organization_id", "user_id", "api_key_id"), "bigint"),
    **dict.fromkeys(("attribution_id", "sku_id", "attribute_id", "value_id"), "integer"),
    "hour": "timestamptz",
    "day": "date",
    "month": "date",
    "usage_type": "smallint",
}


def make(
    cursor: Any, table: str, measures: Sequence[str], rows: str, parameters: Mapping[str, object] | None = None
) -> None:
    """Make the table of what a query finds: the columns of its key and these measures, in this order."""
    if is_distributed():
        cursor.execute(f"INSERT INTO {table} ({CLUSTER_TABLES[table]}, {', '.join(measures)}) {rows}", parameters)
    else:
        cursor.execute(f"CREATE TEMPORARY TABLE {table} ON COMMIT DROP AS {rows}", parameters)


@contextmanager
def wide() -> Iterator[None]:
    """Within it, sums may need more than 64 bits. The tables of a cluster have columns of 64, as almost all sums do."""
    if not is_distributed():
        yield
        return
    with connection.cursor() as cursor:
        _retype(cursor, "numeric")
        yield
        _retype(cursor, "bigint")


def _retype(cursor: Any, measure_type: str) -> None:
    changes = ", ".join(f"ALTER COLUMN {measure} TYPE {measure_type}" for measure in MEASURES)
    for table in CLUSTER_TABLES:
        cursor.execute(f"ALTER TABLE {table} {changes}")


def drop(cursor: Any, *tables: str) -> None:
    """They have done their work.

    Those of a cluster are not truncated: for that a run would wait for a shard that is being moved, which waits for the run.
    """
    if not is_distributed():
        cursor.execute(f"DROP TABLE {', '.join(tables)}")
        return
    for table in tables:
        cursor.execute(f"DELETE FROM {table}")
