"""Corrections: each changes what one stored event reported, and never takes away more than that event still has.

They are stored behind the events of their transaction, so that both may come in one request. The rows of the corrected events
are locked first, in one order; what others have corrected meanwhile is read after that. So two requests that correct the same
event at once stand in line, and the second one sees what the first has left.

A correction has the timestamp of its event. Its organization, its routing, its SKU and what it was for are those of the event's
row: it counts where the event counts, and is priced in the event's context band.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from metering.cluster.state import fence, is_distributed
from metering.dictionaries.words import OVER_THE_BOUND
from metering.intake import copy_rows, duplicates
from metering.intake.admission import PostponedCorrection
from metering.intake.checks import parts_exceed_whole, too_large
from metering.intake.copy_rows import ACCEPTED, CONFLICT, DAY_MICROSECONDS, DUPLICATE, EPOCH, Outcome
from metering.intake.formats.events import Refusal
from metering.intake.skus import SaidOfSku
from metering.measures import MEASURES
from metering.rollups.partitions import partition_name

WORDS: Final = frozenset({2, 4, 5, 6})
"""The places of words in SaidOfSku."""
Identity = tuple[int, int, bytes]
"""Organization, microseconds since 2000, hash of the caller's id."""
Measures = tuple[int, ...]

UNKNOWN: Final = Refusal(
    "corrected_event_unknown",
    "No event with the id in `corrects` and this timestamp is stored in this organization; a correction has the timestamp,"
    " the key and the organization of its event.",
)
OF_A_CORRECTION: Final = Refusal(
    "corrects_a_correction", "`corrects` names a correction; correct the event that it corrects once more."
)
OTHER_KEY: Final = Refusal("corrects_other_key", "The corrected event is of another API key.")
OTHER_SKU: Final = Refusal(
    "corrects_other_sku",
    "The corrected event is of another model, usage type, service tier, batch setting, provider, speed, or region.",
)

CORRECTION_LOCKS: Final = 0x5553_4149  # the first half of the keys of organizations' advisory locks
_MOMENT: Final = f"timestamptz '{EPOCH.isoformat()}' + wanted.moment * interval '1 microsecond'"
_WANTED: Final = "unnest(%(organizations)s::bigint[], %(moments)s::bigint[], %(ids)s::uuid[])"
# Rows are locked in the order of the arrays, which are sorted. The subquery keeps the look-up of each by its whole key.
STORED_SQL: Final = f"""
SELECT wanted.organization_id, wanted.moment, uuid_send(wanted.event_id),
    stored.user_id, stored.api_key_id, stored.routing, stored.attribution_id, stored.sku_id, uuid_send(stored.corrects),
    model.name, sku.usage_type, sku.service_tier, sku.batch, sku.provider, sku.speed, sku.region, ARRAY[{{measures}}]
FROM {_WANTED} AS wanted (organization_id, moment, event_id)
CROSS JOIN LATERAL (
    SELECT * FROM {{partition}} AS stored
    WHERE stored.organization_id = wanted.organization_id AND stored.occurred_at = {_MOMENT}
        AND stored.event_id = wanted.event_id
    {{fence}} {{lock}}
) AS stored
JOIN metering_sku AS sku ON sku.id = stored.sku_id
JOIN metering_model AS model ON model.id = sku.model_id
"""
# All corrections of an event have its organization and moment, which the primary key begins with.
CORRECTED_SQL: Final = f"""
SELECT wanted.organization_id, wanted.moment, uuid_send(stored.corrects), {{measures}}
FROM (SELECT DISTINCT organization_id, moment FROM {_WANTED} AS wanted (organization_id, moment, event_id)) AS wanted
CROSS JOIN LATERAL (
    SELECT * FROM {{partition}} AS stored
    WHERE stored.organization_id = wanted.organization_id AND stored.occurred_at = {_MOMENT}
        AND stored.corrects = ANY (%(ids)s::uuid[])
    {{fence}}
) AS stored
GROUP BY 1, 2, 3
"""


class StoredMeanwhileError(Exception):
    """Another request has stored something under the identity of one of these corrections: all is to be looked at again."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored event."""

    user_id: int
    api_key_id: int
    routing: int
    attribution_id: int
    sku_id: int
    corrects: bytes | None
    sku: SaidOfSku
    measures: Measures


def insert(cursor: Any, postponed: Sequence[PostponedCorrection], batch_id: int) -> int:
    """Store those corrections that are right and not stored yet, note the outcome of each; returns how many were new.

    Raises StoredMeanwhileError.
    """
    events = _stored(cursor, (identity for one in postponed for identity in _corrected_identities(one)), lock=True)
    stored = _stored(cursor, (identity for one in postponed for identity in _identities(one)))
    ledger = Ledger(events, stored, _sums_of_corrections(cursor, events), batch_id)
    for one in postponed:
        one.outcomes[one.place] = ledger.enter(one)
    if ledger.new_rows and duplicates.insert_new(cursor, ledger.new_rows) < len(ledger.new_rows):
        raise StoredMeanwhileError
    return len(ledger.new_rows)


class Ledger:
    """What is left of each corrected event, as one correction after the other is entered."""

    def __init__(
        self,
        events: dict[Identity, Stored],
        stored: dict[Identity, Stored],
        sums: dict[Identity, Measures],
        batch_id: int,
    ) -> None:
        self._events = events
        self._stored = stored
        self._left = {identity: _added(event.measures, sums.get(identity)) for identity, event in events.items()}
        self._batch_id = batch_id
        self.new_rows: list[bytes] = []

    def enter(self, correction: PostponedCorrection) -> Outcome:
        known = next((found for one in _identities(correction) if (found := self._stored.get(one))), None)
        if known is not None:
            return DUPLICATE if _is_same(correction, known) else CONFLICT
        identity = next((one for one in _corrected_identities(correction) if one in self._events), None)
        if identity is None:
            return UNKNOWN
        event = self._events[identity]
        left = _added(self._left[identity], correction.measures)
        if refusal := _mismatch(correction, event) or _impossible(left):
            return refusal
        self._left[identity] = left
        self._add(correction, identity[0], event)
        return ACCEPTED

    def _add(self, correction: PostponedCorrection, organization_id: int, event: Stored) -> None:
        self._stored[organization_id, correction.moment, correction.event_id] = Stored(
            event.user_id,
            event.api_key_id,
            event.routing,
            event.attribution_id,
            event.sku_id,
            correction.corrects,
            event.sku,
            correction.measures,
        )
        self.new_rows.append(
            copy_rows.any_row(
                copy_rows.organization_part(organization_id),
                correction.moment,
                correction.event_id,
                copy_rows.caller_part(event.user_id, event.api_key_id, event.routing, event.attribution_id),
                copy_rows.sku_part(event.sku_id),
                self._batch_id,
                correction.corrects,
                correction.measures,
            )
        )


def _is_same(correction: PostponedCorrection, known: Stored) -> bool:
    said = (correction.api_key_id, correction.corrects, correction.measures)
    return said == (known.api_key_id, known.corrects, known.measures) and _is_sku(known.sku, correction.sku)


def _mismatch(correction: PostponedCorrection, event: Stored) -> Refusal | None:
    if event.corrects is not None:
        return OF_A_CORRECTION
    if event.api_key_id != correction.api_key_id:
        return OTHER_KEY
    return None if _is_sku(event.sku, correction.sku) else OTHER_SKU


def _is_sku(stored: SaidOfSku, said: SaidOfSku) -> bool:
    """Whether a correction says the SKU of what is stored. A word that was over a bound then may have a number by now."""
    return all(
        one == other or (place in WORDS and one == OVER_THE_BOUND and isinstance(other, int) and other > OVER_THE_BOUND)
        for place, (one, other) in enumerate(zip(stored, said, strict=True))
    )


def _impossible(left: Measures) -> Refusal | None:
    """Why an event cannot have these measures, if it cannot."""
    measures = dict(zip(MEASURES, left, strict=True))
    if below := [f"`{name}` at {value}" for name, value in measures.items() if value < 0]:
        return Refusal("overcorrected", f"This would leave {', '.join(below)}: more is taken away than there is.")
    return parts_exceed_whole(measures) or too_large(measures)


def _identities(correction: PostponedCorrection) -> Iterator[Identity]:
    return ((home, correction.moment, correction.event_id) for home in correction.organization_ids)


def _corrected_identities(correction: PostponedCorrection) -> Iterator[Identity]:
    return ((home, correction.moment, correction.corrects) for home in correction.organization_ids)


def _stored(cursor: Any, identities: Iterable[Identity], *, lock: bool = False) -> dict[Identity, Stored]:
    """What is stored under these identities; locked until the end of the transaction, if so wanted."""
    found: dict[Identity, Stored] = {}
    identities = set(identities)
    if lock and is_distributed():
        _lock_organizations(cursor, {organization_id for organization_id, *_ in identities})
    measures = ", ".join(f"coalesce(stored.{measure}, 0)" for measure in MEASURES)
    for day, wanted in _by_day(identities):
        sql = STORED_SQL.format(
            measures=measures,
            partition=partition_name(day),
            fence=fence(),
            lock="FOR NO KEY UPDATE" if lock and not is_distributed() else "",
        )
        cursor.execute(sql, wanted)
        for (
            organization_id,
            moment,
            event_id,
            user_id,
            key_id,
            routing,
            attribution_id,
            sku_id,
            corrects,
            *sku,
            values,
        ) in cursor:
            found[organization_id, moment, bytes(event_id)] = Stored(
                user_id=user_id,
                api_key_id=key_id,
                routing=routing,
                attribution_id=attribution_id,
                sku_id=sku_id,
                corrects=None if corrects is None else bytes(corrects),
                sku=(sku[0], sku[1], sku[2], sku[3], sku[4], sku[5], sku[6]),
                measures=tuple(values),
            )
    return found


def _lock_organizations(cursor: Any, organization_ids: Iterable[int]) -> None:
    """In the place of locks on rows, which a cluster does not give on several nodes at once."""
    for organization_id in sorted(organization_ids):
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [CORRECTION_LOCKS, organization_id % 0x7FFF_FFFF])


def _sums_of_corrections(cursor: Any, corrected: Iterable[Identity]) -> dict[Identity, Measures]:
    """The sum of the stored corrections of each of these events, where there are any."""
    found: dict[Identity, Measures] = {}
    measures = ", ".join(f"coalesce(sum(stored.{measure}), 0)" for measure in MEASURES)
    for day, wanted in _by_day(corrected):
        cursor.execute(CORRECTED_SQL.format(measures=measures, partition=partition_name(day), fence=fence()), wanted)
        for organization_id, moment, event_id, *values in cursor:
            found[organization_id, moment, bytes(event_id)] = tuple(map(int, values))
    return found


def _by_day(identities: Iterable[Identity]) -> Iterator[tuple[date, dict[str, list[Any]]]]:
    """Sorted, and per UTC day, as the parameters of the statements above."""
    days: dict[int, list[Identity]] = {}
    for identity in sorted(set(identities)):
        days.setdefault(identity[1] // DAY_MICROSECONDS, []).append(identity)
    for day, wanted in sorted(days.items()):
        organizations, moments, ids = (list(column) for column in zip(*wanted, strict=True))
        hexes = [event_id.hex() for event_id in ids]
        parameters = {"organizations": organizations, "moments": moments, "ids": hexes}
        yield EPOCH.date() + timedelta(days=day), parameters


def _added(measures: Measures, more: Measures | None) -> Measures:
    return measures if more is None else tuple(map(sum, zip(measures, more, strict=True)))
