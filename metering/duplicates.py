"""The road of events of which some may be stored already: each is stored once, and the others are told apart."""

import io
from collections.abc import Sequence
from typing import Any, Final

from metering import rows
from metering.formats.events import Refusal
from metering.measures import MEASURES
from metering.rows import ACCEPTED, COLUMNS, DUPLICATE, Outcome

CONFLICT: Final = Refusal(
    "conflict", "Another event with this id and timestamp is stored; the first stays. A correction is a new event."
)
CONTENT: Final = ("user_id", "api_key_id", "sku_id", "corrects", *MEASURES)

# Look-ups by identity are index scans whatever the planner makes of temporary tables without statistics. `home` holds the
# other organizations in which an event may be stored already; see `apikeys.routing.earlier_homes`.
PREPARE_SQL: Final = """
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
CREATE TEMPORARY TABLE IF NOT EXISTS incoming (place integer PRIMARY KEY, LIKE metering_usageevent) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS home (place integer, organization_id bigint) ON COMMIT DELETE ROWS;
TRUNCATE incoming, home
"""
SPAN_SQL: Final = "SELECT min(occurred_at), max(occurred_at) FROM incoming"
STORED: Final = """
stored.occurred_at = incoming.occurred_at AND stored.occurred_at BETWEEN %(first)s AND %(last)s
AND stored.event_id = incoming.event_id
"""
INSERT_SQL: Final = f"""
INSERT INTO metering_usageevent ({COLUMNS})
SELECT DISTINCT ON (organization_id, occurred_at, event_id) {COLUMNS}
FROM incoming
WHERE NOT EXISTS (
    SELECT FROM home JOIN metering_usageevent AS stored ON stored.organization_id = home.organization_id AND {STORED}
    WHERE home.place = incoming.place
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
FROM incoming
CROSS JOIN LATERAL (
    SELECT incoming.organization_id UNION SELECT organization_id FROM home WHERE home.place = incoming.place
) AS candidate
JOIN metering_usageevent AS stored ON stored.organization_id = candidate.organization_id AND {STORED}
"""


def insert(
    cursor: Any,
    events: Sequence[tuple[int, bytes]],
    homes: Sequence[tuple[int, int]],
    outcomes: list[Outcome],
) -> int:
    """Store those events that are not stored yet, note each one's outcome at its place; returns how many were new.

    `events` are (place in the request, row); `homes` (place, organization in which the event may be stored already).
    """
    cursor.execute(PREPARE_SQL)
    file = rows.file(rows.with_place(row, place) for place, row in events)
    cursor.copy_expert(f"COPY incoming (place, {COLUMNS}) FROM STDIN (FORMAT binary)", io.BytesIO(file))
    if homes:
        places, organizations = zip(*homes, strict=True)
        cursor.execute("INSERT INTO home SELECT * FROM unnest(%s, %s::bigint[])", [list(places), list(organizations)])
    cursor.execute(SPAN_SQL)
    first, last = cursor.fetchone()
    span = {"first": first, "last": last}
    cursor.execute(INSERT_SQL, span)
    cursor.execute(CLASSIFY_SQL, span)
    num_new = 0
    for place, is_new, is_same in cursor.fetchall():
        outcomes[place] = ACCEPTED if is_new else DUPLICATE if is_same else CONFLICT
        num_new += is_new
    return num_new
