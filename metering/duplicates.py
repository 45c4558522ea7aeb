"""The road of events of which some may be stored already: each is stored once, and the others are told apart."""

import io
from datetime import datetime
from typing import Any, Final

from metering import partitions
from metering.formats.events import Refusal
from metering.rows import ACCEPTED, COLUMNS, DUPLICATE, MEASURE_COLUMNS, Outcome, Row

CONFLICT: Final = Refusal(
    "conflict", "Another event with this id and timestamp is stored; the first stays. A correction is a new event."
)
CONTENT: Final = ("user_id", "api_key_id", "sku_id", "corrects", *MEASURE_COLUMNS.split(", "))

# Look-ups by identity are index scans whatever the planner makes of a temporary table without statistics.
PREPARE_SQL: Final = """
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
CREATE TEMPORARY TABLE IF NOT EXISTS incoming (LIKE metering_usageevent, place integer, homes bigint[]) ON COMMIT DELETE ROWS;
TRUNCATE incoming
"""
INSERT_SQL: Final = f"""
INSERT INTO metering_usageevent ({COLUMNS})
SELECT DISTINCT ON (organization_id, occurred_at, event_id) {COLUMNS}
FROM incoming
WHERE NOT EXISTS (
    SELECT FROM metering_usageevent AS stored
    WHERE stored.organization_id = ANY (incoming.homes)
      AND stored.occurred_at = incoming.occurred_at AND stored.occurred_at BETWEEN %(first)s AND %(last)s
      AND stored.event_id = incoming.event_id
)
ORDER BY organization_id, occurred_at, event_id, place
ON CONFLICT DO NOTHING
"""
# A row that carries this request's batch was stored by it; only the first of equal identities in the request was new.
CLASSIFY_SQL: Final = f"""
SELECT
    incoming.place,
    stored.batch_id = incoming.batch_id AND incoming.place = min(incoming.place) OVER (
        PARTITION BY incoming.organization_id, incoming.occurred_at, incoming.event_id
    ),
    ({", ".join(f"stored.{column}" for column in CONTENT)})
        IS NOT DISTINCT FROM ({", ".join(f"incoming.{column}" for column in CONTENT)})
FROM incoming JOIN metering_usageevent AS stored
  ON stored.organization_id = ANY (incoming.organization_id || incoming.homes)
  AND stored.occurred_at = incoming.occurred_at AND stored.occurred_at BETWEEN %(first)s AND %(last)s
  AND stored.event_id = incoming.event_id
"""


def insert(cursor: Any, rows: list[Row], *, first: datetime, last: datetime, outcomes: list[Outcome]) -> int:
    """Store those rows that are not stored yet, note each one's outcome at its place, and return how many were new.

    `first` and `last` bound the rows' times, so that only their days' partitions are looked at.
    """
    partitions.require({row.occurred_at.date() for row in rows})
    cursor.execute(PREPARE_SQL)
    lines = [f"{row.place}\t{{{','.join(map(str, row.homes))}}}\t{row.text}" for row in rows]
    cursor.copy_expert(f"COPY incoming (place, homes, {COLUMNS}) FROM STDIN", io.BytesIO("".join(lines).encode()))
    bounds = {"first": first, "last": last}
    cursor.execute(INSERT_SQL, bounds)
    cursor.execute(CLASSIFY_SQL, bounds)
    num_new = 0
    for place, is_new, is_same in cursor.fetchall():
        outcomes[place] = ACCEPTED if is_new else DUPLICATE if is_same else CONFLICT
        num_new += is_new
    return num_new
