"""From raw events to the tables that pages read: each event is added exactly once, whenever the process dies.

A run claims batches that wait, adds up their events once into a temporary table of hourly sums, adds those to the hours,
days and months (metering/rollups/tables.py), and marks the batches, all in one transaction of the caller's. The claim
follows arrival, so late and out-of-order events need no path of their own.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction

from accounts.installation import time_limits
from accounts.periods import Period, month_of
from apikeys.routing import ATTRIBUTED
from metering import isolation
from metering.cluster.state import is_distributed, set_local
from metering.measures import MEASURES
from metering.rollups import attributed, completeness, deltas, partitions
from metering.rollups.sums import Sums, with_fast_sums
from metering.rollups.tables import (
    ALL_DAILY,
    ALL_HOURLY,
    ATTRIBUTED_DAILY,
    ATTRIBUTED_ONLY,
    ATTRIBUTED_TOTALS,
    COLUMNS,
    DAILY,
    HOUR,
    HOURLY,
    IN_DAYS,
    IN_HOURS,
    MONTHLY,
    OF_DAYS,
    OF_HOURS,
    SUMS,
    VALUE_DAILY,
    VALUE_MONTHLY,
    VALUE_TOTALS,
    WITH_SKU,
)
from metering.rollups.touched import Touched, touch

TASK: Final = "roll_up"
"""Of the batches on which a run failed (`metering.isolation`)."""
BATCH: Final = "batch "
"""… followed by the batch's id."""
# What pages and senders wait for: a batch on which runs fail is set aside, and holds up nobody.
IS_WAITING: Final = f"""rolled_up_at IS NULL AND NOT EXISTS (
    SELECT FROM metering_faileditem AS failed WHERE failed.task = '{TASK}' AND failed.item = '{BATCH}' || metering_ingestbatch.id
)"""
ROLL_UP_LOCK: Final = 0x5553_4147_4502  # an advisory lock's key: any number that nothing else here uses
ROLLING_UP_MARK: Final = ROLL_UP_LOCK + 1  # held shared by a run: others who hold the lock above do something else
IS_ROLLING_UP: Final = f"""EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND classid = {ROLLING_UP_MARK >> 32} AND objid = {ROLLING_UP_MARK & 0xFFFFFFFF}
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)"""

VISIBLE_KEY: Final = (  # 0 reads Untracked
    f"CASE WHEN routing & {int(ATTRIBUTED)} = {int(ATTRIBUTED)} THEN api_key_id ELSE 0 END"
)

# Statistics know neither the groups of expressions nor the newest rows: say what is right for sums over new batches.
# To compile such statements takes longer than to run them.
PLAN: Final = ("work_mem = '256MB'", "enable_seqscan = off", "enable_sort = off", "jit = off")
# Rows to add to are looked up by their keys: other joins read all of a table, or of its index, or compare each row with each
# where statistics say that a table is empty.
_NOT_BY_KEY: Final = ("enable_hashjoin", "enable_mergejoin", "enable_material")
LOOK_UP: Final = tuple(f"{plan} = off" for plan in _NOT_BY_KEY)
PLAN_AGAIN: Final = tuple(f"{plan} TO DEFAULT" for plan in ("enable_seqscan", "enable_sort", *_NOT_BY_KEY))
EVENT_COLUMNS: Final = (
    f"organization_id, occurred_at, batch_id, user_id, api_key_id, sku_id, routing, attribution_id, {COLUMNS}"
)
CLAIM_SQL: Final = """
WITH waiting AS (
    SELECT id, sum(num_events) OVER (ORDER BY id) - num_events AS events_before
    FROM metering_ingestbatch
    WHERE rolled_up_at IS NULL AND id <> ALL (%(passed_over)s::bigint[]) AND {may_be_claimed}
)
UPDATE metering_ingestbatch AS batch
SET rolled_up_at = clock_timestamp()
FROM waiting
WHERE waiting.id = batch.id AND waiting.events_before < %(max_events)s
RETURNING batch.id, batch.first_occurred_at, batch.last_occurred_at, batch.num_events
"""
# The range of batch ids finds the rows through the BRIN index of each day that the batches are of. (The days are named, and not
# asked for by time: then another index would be read, for all that was ever stored of that time.) The ids in it that this run
# did not claim are named one by one: so it does not matter which of their events a snapshot, or that of another machine, sees
# already.
DELTA_SQL: Final = f"""
SELECT organization_id, {HOUR} AS hour, user_id, {VISIBLE_KEY} AS api_key_id, attribution_id, sku_id, {{sums}}
FROM ({{days}}) AS event
WHERE batch_id BETWEEN %(first_batch)s AND %(last_batch)s
  AND {{is_claimed}}
GROUP BY 1, 2, 3, 4, 5, 6
"""
USED_SQL: Final = f"""
SELECT bool_or(attribution_id <> 0), {", ".join(f"bool_or({measure} <> 0)" for measure in MEASURES)} FROM attributed_delta
"""
WITHOUT_ATTRIBUTION_SQL: Final = """
ALTER TABLE attributed_delta DROP COLUMN attribution_id;
ALTER TABLE attributed_delta RENAME TO hourly_delta
"""
# What the hours of a period must be: all of them, and those of what has an attribution.
# To be completed by what says that a batch is in the rollups (`completeness`).
_RAW: Final = """
FROM metering_usageevent
WHERE occurred_at >= %(start)s AND occurred_at < %(end)s
  AND {is_rolled_up}
"""
RAW_HOURS_SQL: Final = f"""
SELECT organization_id, {HOUR} AS hour, user_id, {VISIBLE_KEY} AS api_key_id, sku_id, {SUMS} {_RAW}
GROUP BY 1, 2, 3, 4, 5
"""
_RAW_WITH_ATTRIBUTION: Final = f"""
SELECT organization_id, {HOUR} AS hour, user_id, {VISIBLE_KEY} AS api_key_id, attribution_id, sku_id, {{sums}} {_RAW}
"""
RAW_ATTRIBUTED_SQL: Final = (
    f"{_RAW_WITH_ATTRIBUTION.replace('{sums}', SUMS)} AND {ATTRIBUTED_ONLY} GROUP BY 1, 2, 3, 4, 5, 6"
)
# What months are added up of when a day is computed again.
DAYS_OF_MONTHS: Final = (
    (MONTHLY, DAILY.table),
    (ATTRIBUTED_TOTALS, f"{ATTRIBUTED_DAILY.table} {WITH_SKU}"),
    (VALUE_MONTHLY, VALUE_DAILY.table),
    (VALUE_TOTALS, f"{VALUE_DAILY.table} {WITH_SKU}"),
)
# Of a table's BRIN indexes. %s stands for its name, as it does for a shard's where Citus runs it on each.
SUMMARIZE_SQL: Final = """
SELECT brin_summarize_new_values(indexrelid) FROM pg_index
JOIN pg_class AS index ON index.oid = indexrelid JOIN pg_am ON pg_am.oid = index.relam
WHERE indrelid = '%s'::regclass AND amname = 'brin'
"""
EPSILON: Final = timedelta.resolution


class NotSummarizedError(Exception):
    """What a node of a cluster answered when it should summarize an index."""


@dataclass(frozen=True)
class RolledUp:
    """What a run did: how many events it added, and the rows whose cost changed."""

    num_events: int
    touched: Touched


def lock(cursor: Any, *, wait: bool) -> bool:
    """Become the one writer of rollups until the transaction ends; False if another is and `wait` is off.

    What writes rollups, or waits for who does, may take long.
    """
    time_limits.take_long(cursor)
    if wait:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ROLL_UP_LOCK])
        return True
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [ROLL_UP_LOCK])
    return bool(cursor.fetchone()[0])


def roll_up(cursor: Any, *, max_events: int | None = None, passed_over: Collection[int] = ()) -> RolledUp | None:
    """Add the next waiting batches (about `max_events` or ROLL_UP_MAX_EVENTS events at most) to the rollups, but not those
    that are passed over. None if nothing waits.

    The caller holds the lock and the transaction.
    """
    set_local(cursor, *PLAN)
    cursor.execute(f"SELECT pg_advisory_xact_lock_shared({ROLLING_UP_MARK})")
    limit = settings.ROLL_UP_MAX_EVENTS if max_events is None else max_events
    claim = CLAIM_SQL.format(may_be_claimed=completeness.may_be_claimed())
    cursor.execute(claim, {"max_events": limit, "passed_over": list(passed_over)})
    claimed = cursor.fetchall()
    if not claimed:
        return None
    batches, firsts, lasts, counts = zip(*claimed, strict=True)
    bounds = {"first": min(firsts), "last": max(lasts)}
    condition, named = is_claimed(batches)
    bounds |= {"first_batch": min(batches), "last_batch": max(batches), "named": named}
    days = partitions.between(cursor, bounds["first"], bounds["last"])
    if not days:
        condition = f"{condition} AND occurred_at BETWEEN %(first)s AND %(last)s"
    set_local(cursor, *LOOK_UP)

    def add_up(function: str) -> Touched:
        counted = completeness.counted()
        sums_sql = ", ".join([_all_sums(function), *counted.values()])
        rows = DELTA_SQL.format(sums=sums_sql, is_claimed=condition, days=events_of(days or [partitions.TABLE]))
        deltas.make(cursor, "attributed_delta", (*MEASURES, *counted), rows, bounds)
        completeness.check(cursor, dict(zip(batches, counts, strict=True)), bounds)
        sums = _add_to_days(cursor, Sums(function, MEASURES, bounds["first"], bounds["last"]))
        MONTHLY.add(cursor, sums.of(MONTHLY, "daily_delta", is_one_to_one=sums.is_of_one_day), sums.used)
        return _end_with(cursor)

    touched = with_fast_sums(add_up)
    set_local(cursor, *PLAN_AGAIN)
    return RolledUp(sum(counts), touched)


def events_of(days: Sequence[str]) -> str:
    """The query for the raw events of these days' tables."""
    return " UNION ALL ".join(f"SELECT {EVENT_COLUMNS} FROM {day}" for day in days)


def is_claimed(batches: Sequence[int]) -> tuple[str, list[int]]:
    """The condition on the ids between the first and the last of these that keeps out the others, and the ids that it names."""
    if max(batches) - min(batches) < 2 * len(batches):
        return "batch_id <> ALL (%(named)s::bigint[])", sorted({*range(min(batches), max(batches))}.difference(batches))
    return "batch_id = ANY (%(named)s::bigint[])", list(batches)


def _all_sums(function: str) -> str:
    return ", ".join(f"coalesce({function}({measure}), 0) AS {measure}" for measure in MEASURES)


def _add_to_days(cursor: Any, sums: Sums) -> Sums:
    """Add `attributed_delta` to the hours, and what follows from it, `daily_delta`, to the days.

    Returns how: with the measures that are used at all, so that no one adds up zeros.
    """
    cursor.execute(USED_SQL)
    has_attributions, *are_used = cursor.fetchone()
    used = [measure for measure, is_used in zip(MEASURES, are_used, strict=True) if is_used] or MEASURES[:1]
    sums = replace(sums, used=used)
    if has_attributions:
        attributed.add(cursor, sums)
    if has_attributions or is_distributed():
        hours = sums.of(HOURLY, "attributed_delta", is_one_to_one=not has_attributions)
        deltas.make(cursor, "hourly_delta", used, hours)
        deltas.drop(cursor, "attributed_delta")
    else:
        cursor.execute(WITHOUT_ATTRIBUTION_SQL)
    days = sums.of(DAILY, "hourly_delta", is_one_to_one=sums.is_of_one_hour)
    deltas.make(cursor, "daily_delta", used, days)
    HOURLY.add(cursor, "SELECT * FROM hourly_delta", used)
    DAILY.add(cursor, "SELECT * FROM daily_delta", used)
    for coarser, delta in ((OF_HOURS, "hourly_delta"), (OF_DAYS, "daily_delta")):
        for rollup in coarser.values():
            rollup.add(cursor, sums.of(rollup, delta), used)
    return sums


def _end_with(cursor: Any) -> Touched:
    """The rows that `daily_delta` names; the deltas have done their work."""
    touched = touch(cursor, "daily_delta")
    deltas.drop(cursor, "hourly_delta", "daily_delta")
    return touched


def bounds_of(period: Period) -> dict[str, date | datetime]:
    """The parameters of queries over a period's rows: moments for hours and events, days for days."""
    return {"start": period.start_at, "end": period.end_at, "first_day": period.start, "end_day": period.end}


def summarize() -> None:
    """Tell the BRIN indexes about pages that are new, so that runs find their rows without reading old ones.

    Costs about as much as a run reads, and is needed now and then only: until then runs read the new pages as well.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1",
            [partitions.TABLE],
        )
        tables = [name for (name,) in cursor.fetchall()]
    isolation.do_each("summarize", tables, _summarize)


def _summarize(table: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        time_limits.take_long(cursor)
        if is_distributed():
            cursor.execute("SELECT result FROM run_command_on_shards(%s, %s) WHERE NOT success", [table, SUMMARIZE_SQL])
            if failed := cursor.fetchone():
                raise NotSummarizedError(failed[0])
        else:
            cursor.execute(SUMMARIZE_SQL.replace("%s", f"{table}"))


def rebuild_day(cursor: Any, day: Period) -> Touched:
    """Compute one UTC day of the rollups again from its raw events, and its month from its days; what waits goes on waiting.

    The caller holds the lock and the transaction. Returns the day's rows.
    """
    set_local(cursor, "work_mem = '256MB'")
    bounds = completeness.with_rolled_up(cursor, bounds_of(day))
    for hourly in ALL_HOURLY:
        cursor.execute(f"DELETE FROM {hourly.table} WHERE {IN_HOURS}", bounds)
    for daily in ALL_DAILY:
        cursor.execute(f"DELETE FROM {daily.table} WHERE {IN_DAYS}", bounds)

    def add_up(function: str) -> Touched:
        rows = _RAW_WITH_ATTRIBUTION.format(sums=_all_sums(function), is_rolled_up=completeness.is_rolled_up())
        rows = f"{rows} GROUP BY 1, 2, 3, 4, 5, 6"
        deltas.make(cursor, "attributed_delta", MEASURES, rows, bounds)
        set_local(cursor, *PLAN, *LOOK_UP)
        _add_to_days(cursor, Sums(function, MEASURES, day.start_at, day.end_at - EPSILON))
        return _end_with(cursor)

    touched = with_fast_sums(add_up)
    set_local(cursor, *PLAN_AGAIN)
    month = month_of(day.start)
    for monthly, days in DAYS_OF_MONTHS:
        cursor.execute(f"DELETE FROM {monthly.table} WHERE month = %s", [month.start])
        cursor.execute(
            f"INSERT INTO {monthly.table} ({monthly.key}, {COLUMNS}) {monthly.sums_of(days, when=IN_DAYS)}",
            bounds_of(month),
        )
    return touched
