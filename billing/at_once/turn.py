"""One at a time has the turn to roll up, of all workers and threads, and keeps it over the rests between its runs.

Each run has a price of its own, however few events it takes. So whoever has the turn rests between them, and whoever comes
meanwhile leaves: he would make the runs more and smaller. The turn is a lock of the connection; it ends with it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from django.db import Error, connection

from billing.prices import rating
from metering.rollups.run import IS_WAITING, ROLL_UP_LOCK, TASK

TURN_LOCK: Final = ROLL_UP_LOCK + 6
# One question where there is nothing to do, which is most of the time. Batches on which runs failed are looked after as well.
TAKE_SQL: Final = f"""
SELECT pg_try_advisory_lock({TURN_LOCK})
WHERE EXISTS (SELECT FROM metering_ingestbatch WHERE rolled_up_at IS NULL)
   OR EXISTS (SELECT FROM metering_faileditem WHERE task = '{TASK}')
"""
OVERDUE_SECONDS: Final = 15
OVERDUE_SQL: Final = f"""
SELECT EXISTS (
    SELECT FROM metering_ingestbatch
    WHERE {IS_WAITING} AND received_at < clock_timestamp() - interval '{OVERDUE_SECONDS} seconds'
)
"""
GIVE_BACK_SQL: Final = f"SELECT pg_advisory_unlock({TURN_LOCK})"
Rest = Callable[[], bool]


def no_rest() -> bool:
    """Once all that waited is taken, the turn is over."""
    return False


def take(rest: Rest = no_rest) -> int | None:
    """Roll up what waits; returns the number of events, or None if another one has the turn and sees to it.

    `rest` is called after each run that took all that waited, and says whether to look once more. Whoever has the turn and does
    nothing (its process is frozen, say) holds up nobody: the turn only keeps runs few, each of which has a lock of its own.
    """
    with _turn() as is_ours:
        if is_ours is None:
            return 0
        if is_ours:
            return rating.catch_up(rest=rest)
    return rating.catch_up() if _is_overdue() else None


def _is_overdue() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(OVERDUE_SQL)
        return bool(cursor.fetchone()[0])


@contextmanager
def _turn() -> Iterator[bool | None]:
    """Whether the turn is ours, until the end; None if there is nothing to do."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE_SQL)
        found = cursor.fetchone()
    is_ours = None if found is None else bool(found[0])
    try:
        yield is_ours
    finally:
        if is_ours:
            _give_back()


def _give_back() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute(GIVE_BACK_SQL)
    except Error:
        connection.close()  # which gives it back as well
