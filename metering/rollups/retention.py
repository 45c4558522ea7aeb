"""What is kept how long: raw events for USAGE_EVENT_RETENTION_DAYS, hours for 13 months, days and months for ever. Counts of
what came in: minutes for a day, hours for 30, days for 13 months; refused items a day, keys that nobody has 30 days.

A day of raw events is dropped only when everything in it is in the rollups, and only when events of that day are not
accepted any more; so nothing can be lost, and a duplicate of a dropped event is refused as too old.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from typing import Any, Final

from django.db import connection, transaction

from accounts.clock import database_now
from accounts.installation import time_limits
from accounts.periods import Period, midnight
from apikeys.histories.histories import days_of_intake
from metering import isolation
from metering.rollups import partitions, run
from metering.rollups.proof import days_with_events
from metering.rollups.tables import ALL_HOURLY

TASK: Final = "drop_old"
HOURLY_DAYS: Final = 396
"""13 months, the longest ones."""

OLD_COUNTS_SQL: Final = (
    *(
        f"DELETE FROM metering_ingestcount WHERE grain = '{grain}' AND began_at < statement_timestamp() - interval '{kept}'"
        for grain, kept in (("minute", "1 day"), ("hour", "30 days"), ("day", f"{HOURLY_DAYS} days"))
    ),
    "DELETE FROM metering_refuseditem WHERE at < statement_timestamp() - interval '1 day'",
    "DELETE FROM metering_unknownkey WHERE last_seen_at < statement_timestamp() - interval '30 days'",
)
# What DROP TABLE locks, in its order: the table of all days, then that of the day.
LOCK_SQL: Final = f"""
SET LOCAL lock_timeout = '5s';
LOCK TABLE ONLY {partitions.TABLE} IN ACCESS EXCLUSIVE MODE;
LOCK TABLE {{partition}} IN ACCESS EXCLUSIVE MODE
"""
WAITING_SQL: Final = """
SELECT EXISTS (
    SELECT FROM metering_ingestbatch
    WHERE rolled_up_at IS NULL AND first_occurred_at < %(end)s AND last_occurred_at >= %(start)s
)
"""


def drop_old() -> list[date]:
    """Drop what is older than it is kept, and return the UTC days whose raw events were dropped."""
    today = database_now().date()
    old = _older_than(today - timedelta(days=days_of_intake()))
    dropped = [
        day.start for day, is_dropped in isolation.each(TASK, old, _drop_day, name=lambda day: day.start) if is_dropped
    ]
    before = today - timedelta(days=HOURLY_DAYS)
    parts: dict[str, Callable[[], None]] = {
        "batches": _drop_batches,
        "ingestion counts": _drop_counts,
        "months of values": partial(_drop_months_of_values, before=before),
        **{hourly.table: partial(_drop_hours, hourly.table, before=before) for hourly in ALL_HOURLY},
    }
    isolation.do_each(TASK, parts, lambda part: parts[part]())
    return dropped


@contextmanager
def held_back() -> Iterator[None]:
    """Within it no day of raw events is dropped, which would wait for a backup's locks, and ingest behind it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(hashtext(%s))", [TASK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock_shared(hashtext(%s))", [TASK])


def _older_than(first_kept: date) -> Iterator[Period]:
    return (day for day in days_with_events() if day.end <= first_kept)


def _drop_day(day: Period) -> bool:
    """Drop one day's partition; False, and nothing done, if something in it waits to be rolled up, or if it is held back.

    Whether something waits is asked again when nobody can write to the day any more: who was writing has committed by then.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext(%s))", [TASK])
        if not cursor.fetchone()[0]:
            return False
        run.lock(cursor, wait=True)
        if _something_waits(cursor, day):
            return False
        cursor.execute(LOCK_SQL.format(partition=partitions.partition_name(day.start)))
        if _something_waits(cursor, day):
            return False
        cursor.execute(f"DROP TABLE {partitions.partition_name(day.start)}")
    partitions.forget()
    return True


def _something_waits(cursor: Any, day: Period) -> bool:
    cursor.execute(WAITING_SQL, run.bounds_of(day))
    return bool(cursor.fetchone()[0])


def _drop_batches() -> None:
    """Batches that are rolled up and whose events are all gone say nothing any more."""
    kept = days_with_events()
    if kept:
        _execute(
            "DELETE FROM metering_ingestbatch WHERE rolled_up_at IS NOT NULL AND last_occurred_at < %s",
            [kept[0].start_at],
        )


def _drop_counts() -> None:
    for sql in OLD_COUNTS_SQL:
        _execute(sql, [])


def _drop_hours(table: str, *, before: date) -> None:
    _execute(f"DELETE FROM {table} WHERE hour < %s", [midnight(before)])


def _drop_months_of_values(*, before: date) -> None:
    """Which values arrived in a month, which bounds them in that month alone. The values themselves stay."""
    _execute("DELETE FROM metering_attributevaluemonth WHERE month < %s", [before])


def _execute(sql: str, parameters: list[Any]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        time_limits.take_long(cursor)
        cursor.execute(sql, parameters)
