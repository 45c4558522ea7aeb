"""Events in: checked, routed, and stored once, in one transaction whose commit comes before the answer.

The road of a request: wait for the transaction before it and join those that came meanwhile (`group_commit`) → open a
transaction (`short_transaction`) that holds the routing lock shared → admit each event (its measures, time, key, route) and
make its row → COPY straight into the days' partitions → one IngestBatch row and the commit → a word to those who roll up
(`metering.rollups.arrivals`). Only when an event is stored
already, or might be in another organization, is the slower road of `duplicates` taken, from the savepoint on. Corrections
take their own behind the events (`corrections`).
"""

import io
import logging
import time
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import IO, Final

from django.db import DatabaseError, OperationalError, connection
from psycopg2 import errors

from accounts import changes
from accounts.changes import ROUTING_LOCK, BeingChangedError, version_sql
from apikeys import directory
from apikeys.keys import last_use
from metering.attributions import adopt, undeclared
from metering.cluster.state import is_distributed
from metering.intake import copy_rows, corrections, duplicates, skus
from metering.intake.admission import Admission, Window
from metering.intake.back_pressure import pace
from metering.intake.copy_rows import COLUMNS, DAY_MICROSECONDS, EPOCH, Outcome
from metering.intake.formats.events import Item
from metering.intake.group_commit import GroupCommit
from metering.intake.history.reach import Reach
from metering.intake.short_transaction import COPY_BYTES, ShortTransaction, short_transaction
from metering.rollups import partitions
from metering.rollups.arrivals import arrivals

logger = logging.getLogger(__name__)
ATTEMPTS: Final = 8
MAX_EVENTS_TOGETHER: Final = 10_000
MAX_TRANSACTIONS: Final = 3  # at once in a process: one waits for the disk, one for COPY, one makes its rows
EVENTS_BESIDE: Final = 500  # that wait are worth a transaction beside one that runs
PATIENCE_SECONDS: Final = 0.02  # several times what a transaction of a few events takes
MAX_COPIED_DAYS: Final = 3  # rows of more days go to the table, which finds their partitions by itself
ROWS_IN_PART: Final = 500
MAX_ROWS_IN_PARTS: Final = 4_000
# What is over when it is tried again: a partition that was dropped (the table says that no partition takes the row), two requests
# that wait for each other.
PASSING: Final = (errors.UndefinedTable, errors.CheckViolation, errors.DeadlockDetected)
# A cluster reports what a node says of a COPY as an internal error. If it is another one, the slower road meets it again.
IS_STORED: Final = (errors.UniqueViolation, errors.InternalError_)
NOT_KNOWN: Final = (partitions.MissingError, adopt.MissingError, skus.MissingError, BeingChangedError)

# What is executed first is prepared last: a connection that knows it knows the others.
PREPARE_SQL: Final = f"""
PREPARE ingest_open (bigint) AS
SELECT {version_sql("$1")}, clock_timestamp(), nextval('metering_ingestbatch_id_seq') FROM accounts_routingversion;
PREPARE ingest_batch (bigint, timestamptz, timestamptz, integer) AS
INSERT INTO metering_ingestbatch (id, first_occurred_at, last_occurred_at, num_events, received_at)
VALUES ($1, $2, $3, $4, clock_timestamp());
PREPARE ingest_lock AS SELECT pg_advisory_xact_lock_shared({ROUTING_LOCK})
"""
# One round trip. Each statement has its own snapshot, so no change that is not in the version goes on before the commit.
OPEN_SQL: Final = "EXECUTE ingest_lock; SAVEPOINT nothing_stored; EXECUTE ingest_open (%d)"
# One connection to each node, which stays open, does for a few rows for each of many shards. To open one a shard takes longer.
ON_CLUSTER_SQL: Final = "SET LOCAL citus.multi_shard_modify_mode = 'sequential'"
# Outside the savepoint: by the transaction's own number a cluster is asked whether it has ended (`rollups.completeness`).
BATCH_SQL: Final = "RELEASE SAVEPOINT nothing_stored; EXECUTE ingest_batch (%s, %s, %s, %s)"
COPY_SQL: Final = f"COPY %s ({COLUMNS}) FROM STDIN (FORMAT binary)"


class UnauthenticatedError(Exception):
    """Nobody may call with this secret: it is unknown, revoked or expired."""


@dataclass(slots=True)
class Request:
    """The events that one sender reports at once, and what became of them."""

    events: Sequence[Item]
    secret_digest: bytes
    reach: Reach | None = None
    """For history that may be older than other events."""
    outcomes: list[Outcome] | None = None
    """One per event, in their order; None if the sender is nobody who may call."""
    used_keys: AbstractSet[str] = frozenset()
    """Public ids of the keys whose usage was reported."""
    undeclared: Sequence[tuple[int, tuple[str, ...]]] = ()
    """(organization, names of attributes that it has not declared) of its events."""


def store(events: Sequence[Item], *, secret_digest: bytes, reach: Reach | None = None) -> list[Outcome]:
    """Store the events that the holder of a secret reports; one outcome per event, in their order, after the commit.

    Raises UnauthenticatedError, or django.db.OperationalError when the database cannot take the events: then nothing of
    the request is stored.
    """
    request = Request(events, secret_digest, reach)
    _together.submit(request, size=len(events))
    if request.outcomes is None:
        raise UnauthenticatedError
    _note_use(request)
    return request.outcomes


def store_all(requests: Sequence[Request]) -> None:
    """Store the events of all requests in one transaction, and set their outcomes once it is committed."""
    instead: skus.Instead = {}
    for attempt in range(1, ATTEMPTS + 1):
        started_at = time.monotonic()
        try:
            with connection.wrap_database_errors:
                outcomes = _store_once(requests, instead)
        except NOT_KNOWN as error:
            _learn(error, instead)
        except corrections.StoredMeanwhileError:
            pass
        except DatabaseError as error:
            if attempt == ATTEMPTS or not isinstance(error.__cause__, PASSING):
                raise
            partitions.forget()
            time.sleep(0.02 * (attempt - 1))
        else:
            pace.rest(time.monotonic() - started_at)
            for request, result in zip(requests, outcomes, strict=True):
                request.outcomes = result
            return
    raise OperationalError("The events could not be stored.")


def _learn(error: Exception, instead: skus.Instead) -> None:
    """What a transaction did not know, learnt outside of it; SKUs that are not to be had are noted."""
    match error:
        case partitions.MissingError():
            partitions.ensure(error.days)
        case adopt.MissingError():
            adopt.adopt(error.month, error.wanted)
        case skus.MissingError():
            instead |= skus.adopt(error.organizations)
        case BeingChangedError():
            changes.wait_for(error.locks)


_together: Final = GroupCommit(
    store_all,
    max_size=MAX_EVENTS_TOGETHER,
    max_calls=MAX_TRANSACTIONS,
    size_beside=EVENTS_BESIDE,
    patience_seconds=PATIENCE_SECONDS,
)


def _store_once(requests: Sequence[Request], instead: skus.Instead) -> list[list[Outcome] | None]:
    since = directory.remembered().version
    open_sql = f"{ON_CLUSTER_SQL}; {OPEN_SQL}" if is_distributed() else OPEN_SQL
    with short_transaction(open_sql % since, prepare=PREPARE_SQL) as transaction:
        version, changed, now, batch_id = transaction.first_row
        pace.look(transaction.cursor)
        known = directory.at_version(version, since=since, changed=changed)
        window = Window.at(now)
        admissions: list[Admission | None] = []
        for request in requests:
            caller = known.caller(request.secret_digest)
            if caller is None or not caller.may_call(now):
                admissions.append(None)
                continue
            its_window = window if request.reach is None else replace(window, reach=request.reach)
            admission = Admission(known, caller, window=its_window, batch_id=batch_id, instead=instead)
            admission.admit_all(request.events)
            admissions.append(admission)
            request.used_keys = admission.used_keys(request.events)
            request.undeclared = admission.undeclared
        present = [admission for admission in admissions if admission is not None]
        skus.require(admission.missing_skus for admission in present)
        adopt.require(window.month, (admission.missing_attributions for admission in present))
        if _write(transaction, present, batch_id):
            arrivals.note(transaction.cursor)
        return [None if admission is None else admission.outcomes for admission in admissions]


def _write(transaction: ShortTransaction, admissions: Sequence[Admission], batch_id: int) -> bool:
    """Store what is admitted, if anything is, and the batch that it came in; commit. Whether there is a batch."""
    admitted = [admission for admission in admissions if admission.rows]
    postponed = [correction for admission in admissions for correction in admission.corrections]
    moments = [moment for admission in admitted for moment in admission.moments]
    moments.extend(correction.moment for correction in postponed)
    if not moments:
        transaction.commit()
        return False
    first, last = min(moments), max(moments)
    days = _days(admitted, first, last)
    partitions.require({*days, *(_day(correction.moment) for correction in postponed)})
    batch = batch_id, _datetime(first), _datetime(last)
    num_copied = _copied(transaction, admitted, days, None if postponed else batch)
    if num_copied and not postponed:
        return True
    num_events = num_copied or duplicates.insert(transaction.cursor, admitted)
    if postponed:
        num_events += corrections.insert(transaction.cursor, postponed, batch_id)
    if num_events:
        transaction.commit(BATCH_SQL, [*batch, num_events])
    else:
        transaction.commit()
    return num_events > 0


def _days(admitted: Sequence[Admission], first: int, last: int) -> dict[date, list[bytes]]:
    """The rows of each UTC day between two moments."""
    if first // DAY_MICROSECONDS == last // DAY_MICROSECONDS:
        return {_day(first): [row for admission in admitted for row in admission.rows]}
    days: dict[date, list[bytes]] = {}
    for admission in admitted:
        for moment, row in zip(admission.moments, admission.rows, strict=True):
            days.setdefault(_day(moment), []).append(row)
    return days


def _copied(
    transaction: ShortTransaction,
    admitted: Sequence[Admission],
    days: dict[date, list[bytes]],
    batch: tuple[int, datetime, datetime] | None,
) -> int:
    """Store all rows and return how many; with a `batch`, store that as well, and commit. 0 when some may be stored already:
    then nothing is stored."""
    copies = [] if any(admission.homes for admission in admitted) else list(_copies(days))
    if not copies:
        return 0
    num_rows = sum(map(len, days.values()))
    try:
        for copy, file in copies[:-1] if batch else copies:
            transaction.cursor.copy_expert(copy, file, COPY_BYTES)
        if batch:
            transaction.copy_and_commit(*copies[-1], BATCH_SQL, [*batch, num_rows])
    except IS_STORED:
        transaction.cursor.execute("ROLLBACK TO SAVEPOINT nothing_stored")
        return 0
    return num_rows


def _copies(days: dict[date, list[bytes]]) -> Iterator[tuple[str, IO[bytes]]]:
    """COPY of the rows into the days' partitions. Sorted by day and identity, so that two requests with the same events wait in
    turn."""
    if len(days) > MAX_COPIED_DAYS:
        rows = [row for day in sorted(days) for row in sorted(days[day])]
        yield COPY_SQL % partitions.TABLE, io.BytesIO(copy_rows.file(rows))
        return
    for day in sorted(days):
        for part in _parts(sorted(days[day])) if days[day] else ():
            yield COPY_SQL % partitions.partition_name(day), io.BytesIO(copy_rows.file(part))


def _parts(sorted_rows: list[bytes]) -> Iterator[list[bytes]]:
    """The rows in parts for a COPY each.

    COPY keeps up to 1,000 rows in hand. PostgreSQL 18 pays for each of them in proportion to those before it, once a
    statement, because each refers to the table's description and such references are searched one by one. Up to some
    thousand rows a few statements cost less than that.
    """
    num_parts = 1 if len(sorted_rows) > MAX_ROWS_IN_PARTS else -(-len(sorted_rows) // ROWS_IN_PART)
    size = -(-len(sorted_rows) // num_parts)
    return (sorted_rows[first : first + size] for first in range(0, len(sorted_rows), size))


def _day(moment: int) -> date:
    return EPOCH.date() + timedelta(days=moment // DAY_MICROSECONDS)


def _datetime(moment: int) -> datetime:
    return EPOCH + timedelta(microseconds=moment)


def _note_use(request: Request) -> None:
    """What is stored stays stored, whatever becomes of this."""
    try:
        last_use.note(request.used_keys)
        undeclared.note(request.undeclared)
    except DatabaseError:
        logger.warning("The last use of keys or undeclared attributes could not be noted.", exc_info=True)
