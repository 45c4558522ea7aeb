"""When each key was last used, to the minute: noted in memory as events come, written now and then, never waited for."""

import threading
import time
from collections.abc import Iterable
from typing import Final

from django.db import connection

INTERVAL_SECONDS: Final = 30.0

# Rows that somebody else is changing are left for the next time, so that nobody ever waits here.
UPDATE_SQL: Final = """
UPDATE apikeys_apikey SET last_used_at = clock_timestamp()
WHERE id IN (
    SELECT id FROM apikeys_apikey
    WHERE public_id = ANY (%s) AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '30 seconds')
    ORDER BY id FOR UPDATE SKIP LOCKED
)
"""

_lock = threading.Lock()
_noted: set[str] = set()
_written_at = float("-inf")


def note(public_ids: Iterable[str]) -> None:
    """These keys were used just now. Writes what was noted if the last time is INTERVAL_SECONDS ago."""
    global _noted, _written_at
    with _lock:
        _noted.update(public_ids)
        if not _noted or time.monotonic() - _written_at < INTERVAL_SECONDS:
            return
        noted, _noted, _written_at = _noted, set(), time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(UPDATE_SQL, [sorted(noted)])


def forget() -> None:
    """Drop this process's memory."""
    global _noted, _written_at
    with _lock:
        _noted, _written_at = set(), float("-inf")
