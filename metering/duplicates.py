"""The road of events of which some may be stored already: each is stored once, and the others are told apart."""

import io
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

from metering import rows
from metering.admission import Admission
from metering.formats.events import Refusal
from metering.measures import MEASURES
from metering.rows import ACCEPTED, COLUMNS, DUPLICATE

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
CREATE INDEX IF NOT EXISTS home_by_place ON home (place);
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
# OFFSET 0 keeps the look-up of each event by its whole key: a partition without statistics would else be read as a whole.
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
CROSS JOIN LATERAL (
    SELECT * FROM metering_usageevent AS stored
    WHERE stored.organization_id = candidate.organization_id AND {STORED}
    OFFSET 0
) AS stored
"""


def insert(cursor: Any, admitted: Sequence[Admission]) -> int:
    """Store those admitted events that are not stored yet, note the outcome of each, and return how many were new.

    All requests share one count of places, in which each begins where the one before it ends.
    """
    cursor.execute(PREPARE_SQL)
    starts = list(accumulate((len(admission.outcomes) for admission in admitted), initial=0))
    _copy_incoming(cursor, admitted, starts)
    cursor.execute(SPAN_SQL)
    first, last = cursor.fetchone()
    span = {"first": first, "last": last}
    cursor.execute(INSERT_SQL, span)
    cursor.execute(CLASSIFY_SQL, span)
    num_new = 0
    for place, is_new, is_same in cursor.fetchall():
        request = bisect_right(starts, place) - 1
        outcome = ACCEPTED if is_new else DUPLICATE if is_same else CONFLICT
        admitted[request].outcomes[place - starts[request]] = outcome
        num_new += is_new
    return num_new


def _copy_incoming(cursor: Any, admitted: Sequence[Admission], starts: Sequence[int]) -> None:
    file = rows.file(
        rows.with_place(row, start + place)
        for admission, start in zip(admitted, starts, strict=False)
        for place, row in zip(admission.places, admission.rows, strict=True)
    )
    cursor.copy_expert(f"COPY incoming (place, {COLUMNS}) FROM STDIN (FORMAT binary)", io.BytesIO(file))
    homes = [
        (start + place, organization_id)
        for admission, start in zip(admitted, starts, strict=False)
        for place, organization_id in admission.homes
    ]
    if homes:
        places, organizations = zip(*homes, strict=True)
        cursor.execute("INSERT INTO home SELECT * FROM unnest(%s, %s::bigint[])", [list(places), list(organizations)])
