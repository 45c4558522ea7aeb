"""Values and combinations that a process does not know: looked up, or added within the bounds of their organization.

A value is new to an attribute once a month (UTC) of arrival. Over the bound of values it counts as “Other values”; over the
bound of new combinations all values of a combination do. So no sender can make the dictionaries, or the rollups, grow without
end, and every event still counts.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction

from accounts.periods import midnight, month_of
from metering.attributions.memory import Memory, Parts, Wanted, of_month, without_values

ADOPT_LOCKS: Final = 0x5553_4148  # the first half of the keys of organizations' advisory locks
Value = tuple[int, str]
"""An attribute's id and a text."""

COUNTS_SQL: Final = """
SELECT attribute_id, count(*) FROM metering_attributevaluemonth WHERE attribute_id = ANY (%s) AND month = %s GROUP BY 1
"""
# Each row is looked up by its key (OFFSET): statistics know nothing of rows that came within the last minute.
ARRIVED_SQL: Final = """
SELECT wanted.attribute_id, wanted.value, value.id
FROM unnest(%s::integer[], %s::text[]) AS wanted (attribute_id, value)
CROSS JOIN LATERAL (
    SELECT id FROM metering_attributevalue AS value WHERE value.value = wanted.value OFFSET 0
) AS value
CROSS JOIN LATERAL (
    SELECT FROM metering_attributevaluemonth AS arrived
    WHERE arrived.attribute_id = wanted.attribute_id AND arrived.month = %s AND arrived.value_id = value.id OFFSET 0
) AS arrived
"""
ADD_VALUES_SQL: Final = """
INSERT INTO metering_attributevalue (value) SELECT DISTINCT unnest(%s::text[]) ORDER BY 1 ON CONFLICT DO NOTHING
"""
ADD_ARRIVALS_SQL: Final = """
INSERT INTO metering_attributevaluemonth (attribute_id, month, value_id)
SELECT wanted.attribute_id, %s, value.id
FROM unnest(%s::integer[], %s::text[]) AS wanted (attribute_id, value)
CROSS JOIN LATERAL (SELECT id FROM metering_attributevalue AS value WHERE value.value = wanted.value OFFSET 0) AS value
"""
ALL_VALUES_SQL: Final = """
SELECT arrived.attribute_id, value.value, value.id
FROM metering_attributevaluemonth AS arrived JOIN metering_attributevalue AS value ON value.id = arrived.value_id
WHERE arrived.attribute_id = ANY (%s) AND arrived.month = %s
"""
FIND_SQL: Final = """
SELECT wanted.organization_id, stored.parts, stored.id
FROM unnest(%s::bigint[], %s::text[]) AS wanted (organization_id, parts)
CROSS JOIN LATERAL (
    SELECT stored.id, stored.parts FROM metering_attribution AS stored
    WHERE stored.organization_id = wanted.organization_id AND stored.parts = wanted.parts::integer[] OFFSET 0
) AS stored
"""
NUM_NEW_SQL: Final = """
SELECT count(*) FROM metering_attribution WHERE organization_id = %s AND created_at >= %s AND created_at < %s
"""
ADD_SQL: Final = """
WITH added AS (
    INSERT INTO metering_attribution (organization_id, parts)
    SELECT %s, unnest(%s::text[])::integer[] RETURNING id, parts
), with_parts AS (
    INSERT INTO metering_attributionpart (attribution_id, attribute_id, value_id)
    SELECT id, parts[place], parts[place + 1] FROM added, generate_series(1, cardinality(parts), 2) AS place
)
SELECT parts, id FROM added
"""
NEWEST_SQL: Final = """
SELECT parts, id FROM metering_attribution WHERE organization_id = %s ORDER BY created_at DESC LIMIT %s
"""


class MissingError(Exception):
    """What has no attribution that this process knows, in a month of arrival: to be given to `adopt`."""

    def __init__(self, month: date, wanted: Sequence[Wanted]) -> None:
        super().__init__(month, wanted)
        self.month = month
        self.wanted = wanted


def require(month: date, missing: Iterable[Mapping[Wanted, None]]) -> None:
    """Raises MissingError if anything is missing anywhere."""
    wanted = {one: None for of_one in missing for one in of_one}
    if wanted:
        raise MissingError(month, list(wanted))


def adopt(month: date, wanted: Sequence[Wanted]) -> None:
    """Remember the attributions of all these. Outside the transaction that asked for them, so that no other waits for its end."""
    learn(of_month(month), wanted)


def learn(memory: Memory, wanted: Sequence[Wanted]) -> None:
    """The same for a memory."""
    with connection.cursor() as cursor:
        _look_up(cursor, memory, wanted)
    missing: dict[int, list[Wanted]] = {}
    for one in wanted:
        if memory.id_of(*one) is None:
            missing.setdefault(one[0], []).append(one)
    for organization_id, of_one in missing.items():
        _add(memory, organization_id, of_one)


def _look_up(cursor: Any, memory: Memory, wanted: Sequence[Wanted]) -> None:
    """Remember what of these is stored."""
    new = [value for value in _values_of(wanted) if value[1] not in memory.values.get(value[0], ())]
    if new:
        cursor.execute(ARRIVED_SQL, [*_columns(new), memory.month])
        memory.remember(cursor.fetchall())
    parts = {(one[0], parts) for one in wanted if (parts := memory.parts_of(*one[1:]))}
    memory.ids.update(_find(cursor, parts - memory.ids.keys()))


def _add(memory: Memory, organization_id: int, wanted: Sequence[Wanted]) -> None:
    """Add what is new, and remember it once it is committed. Requests of an organization wait for each other here, so that
    the bounds hold exactly."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [ADOPT_LOCKS, organization_id % 0x7FFF_FFFF])
        _look_up(cursor, memory, wanted)
        known = _with_new_values(cursor, memory, wanted)
        parts = dict.fromkeys(parts for _, project, values in wanted if (parts := known.parts_of(project, values)))
        is_full = _add_combinations(cursor, known, organization_id, parts)
    memory.remember(known.values_beyond(memory))
    memory.full |= known.full
    memory.ids.update(known.ids)
    if is_full:
        memory.full_organizations.add(organization_id)


def _with_new_values(cursor: Any, memory: Memory, wanted: Sequence[Wanted]) -> Memory:
    """What is known of the attributes when those values are added for which there is room."""
    attributes = sorted({attribute_id for attribute_id, _ in _values_of(wanted)})
    known = Memory(memory.month, values={one: dict(memory.values.get(one, ())) for one in attributes})
    cursor.execute(COUNTS_SQL, [attributes, memory.month])
    counts: Counter[int] = Counter(dict(cursor.fetchall()))
    new: list[Value] = []
    for attribute_id, text in _values_of(wanted):
        if text not in known.values[attribute_id] and counts[attribute_id] < settings.ATTRIBUTE_VALUES_PER_MONTH:
            counts[attribute_id] += 1
            new.append((attribute_id, text))
    if new:
        columns = _columns(new)
        cursor.execute(ADD_VALUES_SQL, columns[1:])
        cursor.execute(ADD_ARRIVALS_SQL, [memory.month, *columns])
        cursor.execute(ARRIVED_SQL, [*columns, memory.month])
        known.remember(cursor.fetchall())
    known.full = {one for one in attributes if counts[one] >= settings.ATTRIBUTE_VALUES_PER_MONTH}
    cursor.execute(ALL_VALUES_SQL, [list(known.full), memory.month])
    known.remember(cursor.fetchall())
    return known


def _add_combinations(cursor: Any, known: Memory, organization_id: int, parts: Iterable[Parts]) -> bool:
    """Find or add these combinations and note them in `known`; whether there was room for fewer than all."""
    known.ids.update(_find(cursor, {(organization_id, one) for one in parts}))
    new = [one for one in parts if (organization_id, one) not in known.ids]
    start = midnight(known.month)
    cursor.execute(NUM_NEW_SQL, [organization_id, start, midnight(month_of(known.month).end)])
    room = max(settings.NEW_ATTRIBUTIONS_PER_MONTH - cursor.fetchone()[0], 0)
    fitting, others = new[:room], {without_values(one) for one in new[room:]}
    if others:
        cursor.execute(NEWEST_SQL, [organization_id, 2 * settings.NEW_ATTRIBUTIONS_PER_MONTH])
        known.ids.update(((organization_id, tuple(one)), attribution_id) for one, attribution_id in cursor.fetchall())
        known.ids.update(_find(cursor, {(organization_id, one) for one in others}))
        fitting += sorted(one for one in others - {*fitting} if (organization_id, one) not in known.ids)
    if fitting:
        cursor.execute(ADD_SQL, [organization_id, _arrays(fitting)])
        known.ids.update(((organization_id, tuple(one)), attribution_id) for one, attribution_id in cursor.fetchall())
    return bool(others)


def _find(cursor: Any, parts: Collection[tuple[int, Parts]]) -> dict[tuple[int, Parts], int]:
    """The attributions of those combinations of organizations that are stored."""
    if not parts:
        return {}
    organizations, arrays = zip(*parts, strict=True)
    cursor.execute(FIND_SQL, [list(organizations), _arrays(arrays)])
    return {(organization_id, tuple(found)): attribution_id for organization_id, found, attribution_id in cursor}


def _values_of(wanted: Iterable[Wanted]) -> list[Value]:
    """Each value once, in the order of their arrival."""
    return list(dict.fromkeys(value for _, _, values in wanted for value in values))


def _columns(values: Sequence[Value]) -> list[list[Any]]:
    return [list(column) for column in zip(*values, strict=True)]


def _arrays(parts: Iterable[Parts]) -> list[str]:
    """Arrays of PostgreSQL's as texts, because arrays of one array must be equally long."""
    return [f"{{{','.join(map(str, one))}}}" for one in parts]
