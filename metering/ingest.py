"""Events in: checked, routed, and stored once, in one transaction whose commit comes before the answer.

The road of a request: `checks.check` each event by itself → open a transaction that holds the routing lock shared →
admit each event (time window, key, route) → COPY straight into the days' partitions, with one IngestBatch row → commit.
Only when an event is stored already, or might be in another organization, does `metering.duplicates` take its slower road.
"""

import io
import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from hashlib import blake2b
from operator import attrgetter
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, OperationalError, ProgrammingError, connection, transaction
from psycopg2 import errors

from accounts.changes import ROUTING_LOCK
from apikeys import directory
from apikeys.directory import Caller, Directory
from apikeys.routing import KeyHistory, NotAMemberError, earlier_homes, route
from metering import duplicates, partitions, skus
from metering.checks import check, moment
from metering.formats.events import Correction, Event, Refusal
from metering.measures import MEASURES
from metering.rows import ACCEPTED, COLUMNS, Outcome, Row
from metering.skus import SkuKey

ATTEMPTS: Final = 5
_measures = attrgetter(*MEASURES)

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
    checked = [event if isinstance(event, Refusal) else check(event) for event in events]
    sku_ids = skus.sku_ids(key for key in checked if not isinstance(key, Refusal))
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
    checked: Sequence[SkuKey | Refusal],
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
        _learn(known, events)
        admission = _Admission(known, caller, now, batch_id)
        outcomes: list[Outcome] = [ACCEPTED] * len(events)
        rows: list[Row] = []
        for index, event in enumerate(events):
            key = checked[index]
            answer = key if isinstance(key, Refusal) else admission.admit(index, event, sku_ids[key])
            if isinstance(answer, Refusal):
                outcomes[index] = answer
            else:
                rows.append(answer)
        if rows:
            _write(cursor, rows, batch_id, outcomes, careful=careful)
        return outcomes


class _Admission:
    """One request's view of time and directory: turns events into rows, or says why not."""

    def __init__(self, known: Directory, caller: Caller, now: datetime, batch_id: int) -> None:
        self.known = known
        self.caller = caller
        self.batch_id = batch_id
        self.ahead = timedelta(seconds=settings.USAGE_EVENT_MAX_AHEAD_SECONDS)
        self.oldest = now - timedelta(days=settings.USAGE_EVENT_MAX_AGE_DAYS)
        self.newest = now + self.ahead

    def admit(self, place: int, event: Any, sku_id: int) -> Row | Refusal:
        at = moment(event.timestamp)
        if at is None or not self.oldest <= at <= self.newest:
            return self._out_of_window(at)
        key = self._key(event.api_key_id)
        if isinstance(key, Refusal):
            return key
        if key.ended_at is not None and at >= key.ended_at:
            return Refusal("key_ended", "The API key was revoked or had expired at the event's time.")
        named = None
        if event.organization is not None:
            named = self.known.organization_ids.get(event.organization, 0)
        try:
            organization_id, bits = route(key, named=named, at=at)
        except NotAMemberError:
            return Refusal(
                "not_a_member", "The API key's user was not a member of the named organization at the event's time."
            )
        homes = earlier_homes(key, at=at, ahead=self.ahead) if named is None and len(key.defaults) > 1 else []
        corrects = _event_id(event.corrects) if isinstance(event, Correction) else r"\N"
        text = (
            f"{organization_id}\t{at.isoformat()}\t{_event_id(event.id)}\t{self.batch_id}\t{key.user_id}\t{key.id}\t"
            f"{sku_id}\t{bits}\t{corrects}\t"
            + "\t".join([str(value) if value else r"\N" for value in _measures(event)])
            + "\n"
        )
        return Row(text, at, place, homes)

    def _key(self, public_id: str | None) -> KeyHistory | Refusal:
        own = self.caller.key
        if own is not None:
            if public_id is None or public_id == own.public_id:
                return own
            return Refusal("forbidden_api_key", "An API key may report its own usage only; use an ingest token.")
        if public_id is None:
            return Refusal("missing_api_key_id", "With an ingest token each event names its `api_key_id`.")
        key = self.known.keys.get(public_id)
        return key or Refusal("unknown_api_key", "No API key has this `api_key_id`.")

    def _out_of_window(self, at: datetime | None) -> Refusal:
        if at is None:
            return Refusal("invalid_timestamp", "`timestamp` is no moment of the calendar.")
        if at < self.oldest:
            return Refusal(
                "too_old",
                f"Events are accepted for {settings.USAGE_EVENT_MAX_AGE_DAYS} days; this is of {at.isoformat()}.",
            )
        return Refusal(
            "in_the_future",
            f"Events may be {settings.USAGE_EVENT_MAX_AHEAD_SECONDS} seconds ahead at most; this is of {at.isoformat()}.",
        )


def _learn(known: Directory, events: Sequence[Any]) -> None:
    key_ids = {event.api_key_id for event in events if not isinstance(event, Refusal)} - {None}
    organizations = {event.organization for event in events if not isinstance(event, Refusal)} - {None}
    known.learn(key_ids, organizations)


def _event_id(caller_id: str) -> str:
    return blake2b(caller_id.encode(), digest_size=16).hexdigest()


def _write(cursor: Any, rows: list[Row], batch_id: int, outcomes: list[Outcome], *, careful: bool) -> None:
    """Store the rows and their batch. Sorted, so that two requests with the same events wait for each other in turn."""
    rows.sort()
    first, last = min(row.occurred_at for row in rows), max(row.occurred_at for row in rows)
    num_events = len(rows)
    if careful or any(row.homes for row in rows):
        num_events = duplicates.insert(cursor, rows, first=first, last=last, outcomes=outcomes)
    else:
        _copy(cursor, rows, one_day=first.date() == last.date())
    if num_events:
        cursor.execute(BATCH_SQL, [batch_id, first, last, num_events])


def _copy(cursor: Any, rows: list[Row], *, one_day: bool) -> None:
    by_day: dict[date, list[str]] = {}
    if one_day:
        by_day[rows[0].occurred_at.date()] = [row.text for row in rows]
    else:
        for row in rows:
            by_day.setdefault(row.occurred_at.date(), []).append(row.text)
    partitions.require(by_day)
    for day, texts in sorted(by_day.items()):
        cursor.copy_expert(
            f"COPY {partitions.partition_name(day)} ({COLUMNS}) FROM STDIN",
            io.BytesIO("".join(texts).encode()),
            1 << 20,
        )
