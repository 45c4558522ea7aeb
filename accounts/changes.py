"""The guard around every change that routing or authentication depends on: keys, tokens, tracking, defaults, memberships.

Processes remember people's keys and histories under a version (`apikeys.directory`). A change goes three steps:

1. It locks the people whom it touches, raises the version and says whom it is about; this is committed at once. Whoever reads
   the new version forgets these people alone, and learns about them again only when their lock is free.
2. It waits until every transaction of ingest that may have read an older version has ended. Each holds `ROUTING_LOCK`
   shared from before it reads the version until its events are committed. New ones are not held up.
3. It takes effect at a moment read now, and its transaction changes what it changes.

So an event is routed either wholly before a change or wholly after it, in every process, and nobody but the people of a
change waits for it. docs/decisions/0011 has the reasons.
"""

import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from django.db import Error, connection, transaction

from accounts import limits
from accounts.clock import database_now
from accounts.models import Organization, User

ROUTING_LOCK: Final = 0x5553_4147_4501  # an advisory lock's key: any number that nothing else here uses
PERSON_LOCKS: Final = 0x5553_414A  # the first half of the keys of people's advisory locks
EVERYBODY: Final = 0  # in the place of a person: a change of which nobody said whom it touches
KEPT_VERSIONS: Final = 1_000  # a process that is further behind forgets everybody
POLL_SECONDS: Final = 0.002

RAISE_SQL: Final = f"""
WITH raised AS (
    UPDATE accounts_routingversion SET version = version + 1 RETURNING version
), dropped AS (
    DELETE FROM accounts_routingchange WHERE version <= (SELECT version FROM raised) - {KEPT_VERSIONS}
)
INSERT INTO accounts_routingchange (version, person) SELECT version, unnest(%s::bigint[]) FROM raised
"""
# Nothing is lost if the machine stops before this commit is on disk: then the change itself is not stored either.
ANNOUNCE_SQL: Final = f"SET LOCAL synchronous_commit = off; {RAISE_SQL}"
LOCKS_OF_OTHERS: Final = """
FROM pg_locks
WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
UNDER_WAY_SQL: Final = f"""
SELECT virtualtransaction {LOCKS_OF_OTHERS} AND mode = 'ShareLock' AND objsubid = 1
    AND classid = {ROUTING_LOCK >> 32} AND objid = {ROUTING_LOCK & 0xFFFF_FFFF}
"""
BEING_CHANGED_SQL: Final = f"""
SELECT objid::bigint {LOCKS_OF_OTHERS} AND mode = 'ExclusiveLock' AND objsubid = 2 AND classid = {PERSON_LOCKS}
"""


class ForwardOnlyError(ValueError):
    """A change at a moment before a later one of the same history: what that one has decided stays; the message says of what."""


class BeingChangedError(Exception):
    """Somebody who is asked about is being changed at this moment: `wait_for` the locks returns when that is over."""

    def __init__(self, locks: Collection[int]) -> None:
        super().__init__("A person's keys or organizations are being changed at this moment.")
        self.locks = locks


@contextmanager
def routing_change(*people: User, by: User | None = None) -> Iterator[datetime]:
    """A transaction that is alone with the routing state of these people; yields the moment at which its change takes effect.

    Without `people` it is alone with everybody's, and every process forgets all: for rare changes by the operator.
    `by` is the person who asks for it. Raises limits.LimitReachedError when they ask too often.
    """
    if by is not None:
        limits.spend(by, limits.CHANGES)
    with _announced(people), transaction.atomic(durable=True):
        yield database_now()


@contextmanager
def change(*, by: User | None = None) -> Iterator[datetime]:
    """A transaction for what routing does not depend on (roles, invitations, new people); yields its moment.

    `by` is the person who asks for it. Raises limits.LimitReachedError when they ask too often.
    """
    if by is not None:
        limits.spend(by, limits.CHANGES)
    with transaction.atomic():
        yield database_now()


@contextmanager
def organization_change(*organizations: Organization, by: User | None = None) -> Iterator[datetime]:
    """A transaction for what organizations say their usage is for: projects and attributes; yields its moment.

    Version and change are committed together, so whoever reads the version reads the change, and nobody is waited for: an
    event on its way is stored as it was understood. They are locked, so two changes to one of them come one after the other.
    `by` is the person who asks for it. Raises limits.LimitReachedError when they ask too often.
    """
    if by is not None:
        limits.spend(by, limits.CHANGES)
    with transaction.atomic(durable=True):
        ids = sorted({organization.pk for organization in organizations})
        list(Organization.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk"))
        yield database_now()
        with connection.cursor() as cursor:
            cursor.execute(RAISE_SQL, [[-organization_id for organization_id in ids]])


def version_sql(since: int | str) -> str:
    """Two columns over `accounts_routingversion`: the version, and who was changed since the version `since`, a number or SQL.

    The second is null if that is too long ago to be known.
    """
    return (
        f"version, CASE WHEN version = {since} THEN '{{}}'::bigint[] WHEN version - {since} <= {KEPT_VERSIONS} THEN ARRAY("
        f"SELECT person FROM accounts_routingchange AS change WHERE change.version > {since}) END"
    )


def being_changed() -> frozenset[int]:
    """The locks of those whom somebody else is changing now. Only what is read after this is settled for the others."""
    with connection.cursor() as cursor:
        cursor.execute(BEING_CHANGED_SQL)
        return frozenset(lock for (lock,) in cursor.fetchall())


def unsettled(user_ids: Iterable[int], changing: frozenset[int]) -> frozenset[int]:
    """Which locks of `changing` keep these people's state from being read."""
    if not changing:
        return changing
    return changing & {EVERYBODY, *map(_lock_of, user_ids)}


def require_settled(user_ids: Iterable[int]) -> None:
    """What is read of these people from here on is what the version says that was read before. Raises BeingChangedError."""
    if locks := unsettled(user_ids, being_changed()):
        raise BeingChangedError(locks)


def wait_for(locks: Collection[int]) -> None:
    """Return when the changes of these locks are over. Not to be called inside a transaction: the change may wait for it."""
    with connection.cursor() as cursor:
        for lock in locks:
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", [PERSON_LOCKS, lock])


def _lock_of(user_id: int) -> int:
    """A number of 31 bits; two people may share one, and then wait for each other."""
    return user_id % 0x7FFF_FFFF + 1


@contextmanager
def _announced(people: Collection[User]) -> Iterator[None]:
    """Alone with these people, and every transaction of ingest that does not know it yet has ended.

    The locks are the session's, because they are there before the announcement is committed, and go after the change is.
    """
    user_ids = sorted({person.pk for person in people})
    locks = (
        [("_shared", EVERYBODY), *(("", _lock_of(user_id)) for user_id in user_ids)] if people else [("", EVERYBODY)]
    )
    with connection.cursor() as cursor:
        try:
            cursor.execute(f"{_each('pg_advisory_lock', locks)}; {ANNOUNCE_SQL}", [user_ids or [EVERYBODY]])
            _wait_for_those_under_way(cursor)
            yield
        finally:
            _release(cursor, locks)


def _each(function: str, locks: list[tuple[str, int]]) -> str:
    return "; ".join(f"SELECT {function}{mode}({PERSON_LOCKS}, {lock})" for mode, lock in locks)


def _wait_for_those_under_way(cursor: Any) -> None:
    cursor.execute(UNDER_WAY_SQL)  # apart from the announcement, which is committed now
    under_way = [transaction_id for (transaction_id,) in cursor.fetchall()]
    while under_way:
        time.sleep(POLL_SECONDS)
        cursor.execute(f"{UNDER_WAY_SQL} AND virtualtransaction = ANY (%s)", [under_way])
        under_way = [transaction_id for (transaction_id,) in cursor.fetchall()]


def _release(cursor: Any, locks: list[tuple[str, int]]) -> None:
    """A lock that could not be given back would keep these people from sending: then the session ends."""
    try:
        cursor.execute(_each("pg_advisory_unlock", locks))
    except Error:
        connection.close()
