"""What came in, into the database: one upsert that adds, so that any number of processes may write at once.

Rows are written in the order of their keys, so that two writers wait in turn. The commit does not wait for the disk: a crash
of the database loses what its next write-ahead record would have held, some tenths of a second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction

CountKey = tuple[str, int, str, str]
"""Source, ingest token, kind, code."""

EVER: Final = "ever"
"""Beside `metering.ingestion_models.Grain`: one row for all time, which is never dropped, so that it never becomes less."""
# One moment for all rows, so that minute, hour and day of a count are of the same one.
COUNTS_SQL: Final = f"""
INSERT INTO metering_ingestcount AS row (grain, began_at, source, token_id, kind, code, number)
SELECT grain, CASE grain WHEN '{EVER}' THEN 'epoch' ELSE date_trunc(grain, statement_timestamp(), 'UTC') END,
    source, token_id, kind, code, number
FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::bigint[]) AS counted (source, token_id, kind, code, number)
CROSS JOIN unnest(ARRAY['day', '{EVER}', 'hour', 'minute']) AS grain
ORDER BY 1, 2, 3, 4, 5, 6
ON CONFLICT (grain, began_at, source, token_id, kind, code) DO UPDATE SET number = row.number + excluded.number
"""
REFUSED_SQL: Final = """
INSERT INTO metering_refuseditem (source, token_id, organization_id, code, message, key, event_id)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[])
"""
MAX_REFUSED: Final = 100
# Of each sender the last ones come first, so that one who floods pushes out their own.
TRIM_SQL: Final = """
DELETE FROM metering_refuseditem WHERE id IN (
    SELECT id FROM metering_refuseditem WHERE id NOT IN (
        SELECT id FROM (
            SELECT id, row_number() OVER (
                PARTITION BY organization_id, CASE organization_id WHEN 0 THEN token_id END ORDER BY id DESC
            ) AS place
            FROM metering_refuseditem WHERE at > statement_timestamp() - interval '1 day'
        ) AS placed ORDER BY place, id DESC LIMIT %s
    )
    FOR UPDATE SKIP LOCKED
)
"""
UNKNOWN_SQL: Final = """
INSERT INTO metering_unknownkey AS row (key, source, token_id, num_events)
SELECT key, min(source), min(token_id), sum(num_events)
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[]) AS seen (key, source, token_id, num_events)
GROUP BY key ORDER BY key
ON CONFLICT (key) DO UPDATE SET num_events = row.num_events + excluded.num_events, last_seen_at = statement_timestamp(),
    source = excluded.source, token_id = excluded.token_id
"""
MAX_UNKNOWN_KEYS: Final = 200
TRIM_UNKNOWN_SQL: Final = """
DELETE FROM metering_unknownkey WHERE key IN (
    SELECT key FROM metering_unknownkey ORDER BY last_seen_at DESC, key OFFSET %s FOR UPDATE SKIP LOCKED
)
"""


@dataclass(frozen=True, slots=True)
class Refused:
    """A refused item as it is kept (`metering.ingestion_models.RefusedItem`)."""

    source: str
    token_id: int
    organization_id: int
    code: str
    message: str
    key: str
    event_id: str

    @property
    def sender(self) -> tuple[int, int]:
        """Whose other refused items give way to this one: the organization's or, where it is not known, the token's."""
        return (self.organization_id, 0) if self.organization_id else (0, self.token_id)


def write(
    counts: Mapping[CountKey, int], refused: Sequence[Refused], unknown_keys: Mapping[tuple[str, str, int], int]
) -> None:
    """Add all of it in one transaction. Raises django.db.DatabaseError: then nothing is added."""
    if not (counts or refused or unknown_keys):
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit TO off")
        if counts:
            cursor.execute(COUNTS_SQL, _columns([(*key, number) for key, number in counts.items()]))
        if refused:
            cursor.execute(REFUSED_SQL, _columns([_row(item) for item in refused]))
            cursor.execute(TRIM_SQL, [MAX_REFUSED])
        if unknown_keys:
            cursor.execute(UNKNOWN_SQL, _columns([(*key, number) for key, number in unknown_keys.items()]))
            cursor.execute(TRIM_UNKNOWN_SQL, [MAX_UNKNOWN_KEYS])


def _row(item: Refused) -> tuple[Any, ...]:
    return (item.source, item.token_id, item.organization_id, item.code, item.message, item.key, item.event_id)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
