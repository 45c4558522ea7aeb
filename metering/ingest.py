"""Events in: checked, routed, and stored once, in one transaction whose commit comes before the answer.

The road of a request: check each event by itself → open a transaction that holds the routing lock shared → admit each
event (time window, key, route) and make its row → COPY straight into the days' partitions, with one IngestBatch row →
commit. Only when an event is stored already, or might be in another organization, is the slower road of `duplicates` taken.
"""

import io
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, OperationalError, ProgrammingError, connection, transaction
from psycopg2 import errors

from accounts.changes import ROUTING_LOCK
from apikeys import directory
from metering import duplicates, partitions, rows, skus
from metering.admission import Admission
from metering.checks import Checked, check_all
from metering.formats.events import Correction, Event, Refusal
from metering.rows import COLUMNS, DAY_MICROSECONDS, EPOCH_SECONDS, Outcome
from metering.skus import SkuKey

ATTEMPTS: Final = 5
FIRST_DAY: Final = date(2000, 1, 1)

# One round trip. Each statement has its own snapshot, so the version is the one that holds under the lock.
OPEN_SQL: Final = f"""
SELECT pg_advisory_xact_lock_shared({ROUTING_LOCK});
SELECT version, clock_timestamp(), nextval(pg_get_serial_sequence('metering_ingestbatch', 'id'))
FROM accounts_routingversion
"""
BATCH_SQL: Final = """
INSERT INTO metering_ingestbatch (id, first_occurred_at, last_occurred_at, num_events, received_at)
VALUES (%s, %s, %s, %s, clock_timestamp())
"""


class UnauthenticatedError(Exception):
    """Nobody may call with this secret: it is unknown, revoked or expired."""


def store(events: Sequence[Event | Correction | Refusal], *, secret_digest: bytes) -> list[Outcome]:
    """Store the events that the holder of a secret reports; one outcome per event, in their order, after the commit.

    Raises UnauthenticatedError, or django.db.OperationalError when the database cannot take the events: then nothing of
    the request is stored.
    """
    checked = check_all(events)
    sku_ids = skus.sku_ids(check for check in checked if type(check) is tuple)
    careful = False
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic(), connection.wrap_database_errors:  # COPY has no wrapper of its own
                return _store_once(events, checked, sku_ids, secret_digest=secret_digest, careful=careful)
        except partitions.MissingError as error:
            partitions.ensure(error.days)
        except ProgrammingError as error:
            if attempt == ATTEMPTS or not isinstance(error.__cause__, errors.UndefinedTable):
                raise
            partitions.forget()
        except IntegrityError as error:
            if careful or not isinstance(error.__cause__, errors.UniqueViolation):
                raise
            careful = True
        except OperationalError as error:
            if attempt == ATTEMPTS or not isinstance(error.__cause__, errors.DeadlockDetected):
                raise
            time.sleep(0.02 * attempt)
    raise OperationalError("The events could not be stored.")


def _store_once(
    events: Sequence[Event | Correction | Refusal],
    checked: Sequence[Checked],
    sku_ids: dict[SkuKey, int],
    *,
    secret_digest: bytes,
    careful: bool,
) -> list[Outcome]:
    with connection.cursor() as cursor:
        cursor.execute(OPEN_SQL)
        version, now, batch_id = cursor.fetchone()
        known = directory.at_version(version)
        caller = known.caller(secret_digest)
        if caller is None or not caller.may_call(now):
            raise UnauthenticatedError
        admission = Admission(known, caller, now=now, batch_id=batch_id)
        admission.admit_all(events, checked, sku_ids)
        if admission.rows:
            _write(cursor, admission, careful=careful)
        return admission.outcomes


def _write(cursor: Any, admission: Admission, *, careful: bool) -> None:
    """Store the rows and the batch that they came in."""
    first, last = min(admission.moments), max(admission.moments)
    if first // DAY_MICROSECONDS == last // DAY_MICROSECONDS:
        days = {_day(first): admission.rows}
    else:
        days = {}
        for moment, row in zip(admission.moments, admission.rows, strict=True):
            days.setdefault(_day(moment), []).append(row)
    partitions.require(days)
    if careful or admission.homes:
        placed = list(zip(admission.places, admission.rows, strict=True))
        num_events = duplicates.insert(cursor, placed, admission.homes, admission.outcomes)
    else:
        num_events = len(admission.rows)
        _copy(cursor, days)
    if num_events:
        cursor.execute(BATCH_SQL, [admission.batch_id, _datetime(first), _datetime(last), num_events])


def _copy(cursor: Any, days: dict[date, list[bytes]]) -> None:
    """COPY each day's rows into its partition. Sorted, so that two requests with the same events wait in turn."""
    for day in sorted(days):
        file = io.BytesIO(rows.file(sorted(days[day])))
        cursor.copy_expert(
            f"COPY {partitions.partition_name(day)} ({COLUMNS}) FROM STDIN (FORMAT binary)", file, 1 << 20
        )


def _day(moment: int) -> date:
    return FIRST_DAY + timedelta(days=moment // DAY_MICROSECONDS)


def _datetime(moment: int) -> datetime:
    return datetime.fromtimestamp(EPOCH_SECONDS, UTC) + timedelta(microseconds=moment)
