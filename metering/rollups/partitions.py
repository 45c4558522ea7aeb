"""Range partitions of the raw events by UTC day: made ahead of time and on demand."""

import threading
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction

from accounts.clock import database_now
from accounts.periods import one_day
from metering import isolation

TABLE: Final = "metering_usageevent"
DAYS_AHEAD: Final = 3

_lock = threading.Lock()
_known: set[date] = set()


class MissingError(Exception):
    """Days whose partitions this process does not know to exist: `ensure` them, outside the transaction that asked for them."""

    def __init__(self, days: set[date]) -> None:
        super().__init__(days)
        self.days = days


def partition_name(day: date) -> str:
    """The table that holds the events of a UTC day."""
    return f"{TABLE}_{day:%Y%m%d}"


def day_of(name: str) -> date:
    """The UTC day of a partition's name."""
    return datetime.strptime(name.removeprefix(f"{TABLE}_"), "%Y%m%d").replace(tzinfo=UTC).date()


def between(cursor: Any, first: datetime, last: datetime) -> list[str]:
    """The tables that there are for the UTC days from that of `first` to that of `last`, both included."""
    cursor.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1", [TABLE]
    )
    return [name for (name,) in cursor.fetchall() if first.date() <= day_of(name) <= last.date()]


def ensure(days: Iterable[date]) -> None:
    """Make the partitions of these days where they do not exist. Not to be called inside a transaction."""
    for day in sorted(set(days) - _known):
        _make(day)
        with _lock:
            _known.add(day)


def require(days: Iterable[date]) -> None:
    """Raises MissingError for days that `ensure` was not asked for yet: a dictionary look-up, fit for inside a transaction."""
    if missing := set(days) - _known:
        raise MissingError(missing)


def forget() -> None:
    """Drop this process's memory of which partitions exist."""
    with _lock:
        _known.clear()


def ensure_ahead() -> None:
    """Make the partitions of every day from which events are accepted, and of the next few."""
    today = database_now().date()
    first = today - timedelta(days=settings.USAGE_EVENT_MAX_AGE_DAYS)
    forget()
    days = (first + timedelta(days=n) for n in range(settings.USAGE_EVENT_MAX_AGE_DAYS + DAYS_AHEAD + 1))
    isolation.do_each("make_partitions", days, lambda day: ensure([day]))


def _make(day: date) -> None:
    """Made apart and attached, so that running inserts into other days are not held up.

    The check constraint lets ATTACH skip its scan; the advisory lock lets two processes ask for the same day at once.
    """
    name, period = partition_name(day), one_day(day)
    bounds = {"start": period.start_at, "end": period.end_at}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [TABLE])
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        if cursor.fetchone()[0]:
            return
        cursor.execute(f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        cursor.execute(
            f"ALTER TABLE {name} ADD CONSTRAINT {name}_day CHECK (occurred_at >= %(start)s AND occurred_at < %(end)s)",
            bounds,
        )
        cursor.execute(f"ALTER TABLE {TABLE} ATTACH PARTITION {name} FOR VALUES FROM (%(start)s) TO (%(end)s)", bounds)
        cursor.execute(f"ALTER TABLE {name} DROP CONSTRAINT {name}_day")
