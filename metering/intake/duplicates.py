"""The road of events of which some may be stored already: each is stored once, and the others are told apart.

What is stored under the identities of the events is read first, as the rows that COPY writes, which compare as bytes. Only
what is missing is inserted. A sender of the same events who commits meanwhile shows after that, in the row that is stored.
"""

import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from struct import Struct
from typing import Any, Final

from metering.cluster.state import fence, is_distributed
from metering.intake import copy_rows
from metering.intake.admission import Admission
from metering.intake.copy_rows import ACCEPTED, COLUMNS, CONFLICT, DAY_MICROSECONDS, DUPLICATE, EPOCH, Outcome
from metering.measures import MEASURES
from metering.rollups.partitions import partition_name

# A row of `rows`, as COPY reads and writes it: organization, time and id are its identity, all but routing, attribution and
# batch of the rest its content. Up to `corrects` nothing is null.
_IDENTITY: Final = slice(2, 46)
_USER_AND_KEY: Final = slice(46, 70)
_SKU: Final = slice(84, 92)
_BATCH: Final = slice(92, 104)
_CORRECTS_AND_MEASURES: Final = slice(104, None)
_identity = Struct(">4xq4xq4x16s")
_organization = Struct(">4sq32s")
_FIRST_ROW: Final = 19
_ROW: Final = re.compile(
    rb"\0%c.{102}(?:\xff{4}|\0\0\0\x10.{16})(?:\xff{4}|\0\0\0\x08.{8}){%d}" % (copy_rows.NUM_COLUMNS, len(MEASURES)),
    re.DOTALL,
)

# OFFSET 0 keeps the look-up of each event by its whole key: a partition without statistics would else be read as a whole.
STORED_SQL: Final = f"""
COPY (
    SELECT {", ".join(f"stored.{column}" for column in COLUMNS.split(", "))}
    FROM unnest('{{organizations}}'::bigint[], '{{moments}}'::bigint[], '{{ids}}'::uuid[])
        AS wanted (organization_id, moment, event_id)
    CROSS JOIN LATERAL (
        SELECT * FROM {{partition}} AS stored
        WHERE stored.organization_id = wanted.organization_id
            AND stored.occurred_at = timestamptz '{EPOCH.isoformat()}' + wanted.moment * interval '1 microsecond'
            AND stored.event_id = wanted.event_id
        {{fence}}
    ) AS stored
) TO STDOUT (FORMAT binary)
"""
INCOMING_SQL: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming (LIKE metering_usageevent) ON COMMIT DELETE ROWS
"""
INSERT_SQL: Final = f"""
INSERT INTO metering_usageevent ({COLUMNS})
SELECT {COLUMNS} FROM incoming
ORDER BY (occurred_at AT TIME ZONE 'UTC')::date, organization_id, occurred_at, event_id
ON CONFLICT DO NOTHING
"""


def insert(cursor: Any, admitted: Sequence[Admission]) -> int:
    """Store those admitted events that are not stored yet, note the outcome of each, and return how many were new."""
    stored = _stored(cursor, {identity for event in _events(admitted) for identity in event[1]})
    new = _sort_out(admitted, stored)
    if new:
        _insert(cursor, new.values())
        found = _stored(cursor, new)
        others = {identity: row for identity, row in found.items() if row[_BATCH] != new[identity][_BATCH]}
        if others:
            inserted = {identity: row for identity, row in new.items() if identity not in others}
            new = _sort_out(admitted, stored | others, inserted)
    return len(new)


def _events(admitted: Sequence[Admission]) -> Iterator[tuple[bytes, list[bytes], Admission, int]]:
    """Each event's row, the identities under which it may be stored, its own first, its request and its place there."""
    for admission in admitted:
        homes: dict[int, list[int]] = {}
        for place, organization_id in admission.homes:
            homes.setdefault(place, []).append(organization_id)
        for place, row in zip(admission.places, admission.rows, strict=True):
            own = row[_IDENTITY]
            yield row, [own, *(_moved(own, home) for home in homes.get(place, ()))], admission, place


def _moved(identity: bytes, organization_id: int) -> bytes:
    size, _, rest = _organization.unpack(identity)
    return _organization.pack(size, organization_id, rest)


def _sort_out(
    admitted: Sequence[Admission], stored: Mapping[bytes, bytes], inserted: Mapping[bytes, bytes] | None = None
) -> dict[bytes, bytes]:
    """Note each event's outcome; the rows to store, by identity. Of equal identities the first is new.

    What is `inserted` by us stays new, whoever has stored it in another organization meanwhile.
    """
    new: dict[bytes, bytes] = dict(inserted or {})
    for row, identities, admission, place in _events(admitted):
        if new.get(identities[0]) is row:
            admission.outcomes[place] = ACCEPTED
            continue
        known = next((found for one in identities if (found := stored.get(one) or new.get(one)) is not None), None)
        if known is None:
            new[identities[0]] = row
        admission.outcomes[place] = ACCEPTED if known is None else _outcome(row, known)
    return new


def _outcome(row: bytes, known: bytes) -> Outcome:
    is_same = (
        row[_CORRECTS_AND_MEASURES] == known[_CORRECTS_AND_MEASURES]
        and row[_USER_AND_KEY] == known[_USER_AND_KEY]
        and row[_SKU] == known[_SKU]
    )
    return DUPLICATE if is_same else CONFLICT


def _stored(cursor: Any, identities: Collection[bytes]) -> dict[bytes, bytes]:
    """The rows that are stored under these identities."""
    days: dict[int, list[tuple[int, int, bytes]]] = {}
    for identity in sorted(identities):
        wanted = _identity.unpack(identity)
        days.setdefault(wanted[1] // DAY_MICROSECONDS, []).append(wanted)
    stored: dict[bytes, bytes] = {}
    for day, wanted_there in days.items():
        organizations, moments, ids = zip(*wanted_there, strict=True)
        file = io.BytesIO()
        cursor.copy_expert(
            STORED_SQL.format(
                organizations=_array(map(str, organizations)),
                moments=_array(map(str, moments)),
                ids=_array(map(bytes.hex, ids)),
                partition=partition_name(EPOCH.date() + timedelta(days=day)),
                fence=fence(),
            ),
            file,
        )
        stored.update((row[_IDENTITY], row) for row in _rows(file.getvalue()))
    return stored


def _array(texts: Iterable[str]) -> str:
    """An array of PostgreSQL's, as the text of it. Of digits and letters only."""
    return f"{{{','.join(texts)}}}"


def _rows(file: bytes) -> Iterator[bytes]:
    """The rows that COPY has written."""
    place = _FIRST_ROW
    while found := _ROW.match(file, place):
        yield found[0]
        place = found.end()
    if file[place:] != copy_rows.file(())[_FIRST_ROW:]:
        raise ValueError("PostgreSQL wrote a row that is not like ours.")


def insert_new(cursor: Any, new: Collection[bytes]) -> int:
    """Insert what nobody else has inserted meanwhile; returns how many that were."""
    _insert(cursor, new)
    if not is_distributed():
        return int(cursor.rowcount)
    stored = _stored(cursor, [row[_IDENTITY] for row in new])  # Citus does not say how many conflicts its nodes met
    return sum(stored[row[_IDENTITY]][_BATCH] == row[_BATCH] for row in new)


def _insert(cursor: Any, new: Collection[bytes]) -> None:
    """In the order of `ingest`, so that requests with the same events wait in turn."""
    cursor.execute(INCOMING_SQL)
    cursor.copy_expert(
        f"COPY incoming ({COLUMNS}) FROM STDIN (FORMAT binary)", io.BytesIO(copy_rows.file(new)), 1 << 20
    )
    cursor.execute(INSERT_SQL)
