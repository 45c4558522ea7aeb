"""Names that events have in `attributes` and that their organization has not declared: counted, so that people can be told.

Counted in memory as events come, written at most once a second, and never waited for. An event that is sent again is counted
again.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterable
from typing import Final

from django.conf import settings
from django.db import connection, transaction

INTERVAL_SECONDS: Final = 1.0
MAX_NOTED: Final = 10_000
MAX_NAME_LENGTH: Final = 64
UNDECLARED_LOCK: Final = 0x5553_4147_4510  # an advisory lock's key: any number that nothing else here uses

# Names that are kept already go first; of new ones there is room for so many in each organization.
WRITE_SQL: Final = """
WITH noted AS (
    SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) AS noted (organization_id, name, num_events)
), placed AS (
    SELECT noted.*, kept.id IS NOT NULL AS is_kept,
        row_number() OVER (PARTITION BY noted.organization_id, kept.id IS NULL ORDER BY noted.num_events DESC, noted.name)
            AS place
    FROM noted LEFT JOIN metering_undeclaredattribute AS kept USING (organization_id, name)
)
INSERT INTO metering_undeclaredattribute (organization_id, name, num_events, last_seen_at)
SELECT organization_id, name, num_events, clock_timestamp() FROM placed
WHERE is_kept OR place <= %s - (
    SELECT count(*) FROM metering_undeclaredattribute AS kept WHERE kept.organization_id = placed.organization_id
)
ORDER BY organization_id, name
ON CONFLICT (organization_id, name) DO UPDATE
SET num_events = metering_undeclaredattribute.num_events + excluded.num_events, last_seen_at = excluded.last_seen_at
"""

_lock = threading.Lock()
_noted: Counter[tuple[int, str]] = Counter()
_written_at = float("-inf")


def note(found: Iterable[tuple[int, tuple[str, ...]]]) -> None:
    """The names of events of organizations. Writes what was noted if the last time is INTERVAL_SECONDS ago."""
    global _noted, _written_at
    with _lock:
        for organization_id, names in found:
            for name in names:
                if len(_noted) < MAX_NOTED or (organization_id, name) in _noted:
                    _noted[organization_id, name] += 1
        if not _noted or time.monotonic() - _written_at < INTERVAL_SECONDS:
            return
        noted, _noted, _written_at = _noted, Counter(), time.monotonic()
    _write(noted)


def forget() -> None:
    """Drop this process's memory."""
    global _noted, _written_at
    with _lock:
        _noted, _written_at = Counter(), float("-inf")


def _write(noted: Counter[tuple[int, str]]) -> None:
    sums: Counter[tuple[int, str]] = Counter()
    for (organization_id, name), number in noted.items():
        sums[organization_id, _shown(name)] += number
    rows = [(organization_id, name, number) for (organization_id, name), number in sums.items()]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [UNDECLARED_LOCK])
        cursor.execute(
            WRITE_SQL, [*(list(column) for column in zip(*rows, strict=True)), settings.UNDECLARED_NAMES_KEPT]
        )


def _shown(name: str) -> str:
    """A name as it can be stored and shown: without control characters, and cut."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name[:MAX_NAME_LENGTH]
    )
