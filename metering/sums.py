"""What was used per bar and part, and in all: frozen rows for the Activity page (docs/metrics.md defines each number)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from metering.axis import Slot
from metering.periods import Period
from metering.queries import PART_COLUMNS, SHOWN_PARTS, Step, UsageQuery, fetch
from metering.sources import slots_of, whole_of

# What the charts show, each a sum over usage rows. Context is all input that was not read from the cache.
QUANTITIES: Final = {
    "requests": "sum(usage.num_model_requests)",
    "context_tokens": "sum(usage.input_tokens) - sum(usage.input_cached_tokens)",
    "cached_tokens": "sum(usage.input_cached_tokens)",
    "generated_tokens": "sum(usage.output_tokens)",
    "tokens": "sum(usage.input_tokens) + sum(usage.output_tokens)",
    "images": "sum(usage.images)",
    "seconds": "sum(usage.seconds)",
    "characters": "sum(usage.characters)",
    "usage_bytes": "sum(usage.usage_bytes)",
    "sessions": "sum(usage.num_sessions)",
    "searches": "coalesce(sum(usage.num_model_requests) FILTER (WHERE sku.usage_type IN (9, 10)), 0)",
}


@dataclass(frozen=True)
class PartSums:
    """One part (a model, user, key …) in one bar. `part` None is everything outside the largest parts."""

    slot: Slot
    part: int | None
    quantities: dict[str, int]


@dataclass(frozen=True)
class Activity:
    """The bars of a period, and for each quantity how many parts have any of it, and its sum in the compared period."""

    rows: tuple[PartSums, ...]
    num_parts: dict[str, int]
    compared: dict[str, int] = field(default_factory=dict)

    def total(self, quantity: str) -> int:
        return total(self.rows, quantity)


def total(rows: Sequence[PartSums], quantity: str) -> int:
    """The sum of one quantity over all bars and parts."""
    return sum(row.quantities[quantity] for row in rows)


def activity_of(query: UsageQuery, compared_with: Period | None = None) -> Activity:
    """Per bar and part all quantities; parts that lead in no quantity are summed as one, so the answer stays small.

    The parts are ranked by the sums of the whole period first. What is drawn, and every total, comes from one statement.
    """
    parts, compared = _parts(query, compared_with)
    num_parts = {name: sum(1 for sums in parts.values() if sums[name]) for name in QUANTITIES}
    present = tuple(name for name in QUANTITIES if num_parts[name])
    if not present:
        return Activity((), num_parts, compared)
    parameters = query.parameters() | {"leaders": sorted(_leaders(parts, present))}
    is_wide = query.needs_keys and not query.has_key_filter and query.step == Step.DAY and query.is_month
    found = fetch(_wide_sql(query, present) if is_wide else _slots_sql(query, present), parameters)
    rows = (PartSums(slot, part, _quantities(present, columns)) for slot, part, *columns in found)
    return Activity(tuple(rows), num_parts, compared)


def _parts(query: UsageQuery, compared_with: Period | None) -> tuple[dict[int, dict[str, float]], dict[str, int]]:
    """All quantities of each part over the whole period, near enough to rank them by, and those of the compared period."""
    whole = whole_of(query) if query.needs_keys else slots_of(query, by_key=False)
    near = ", ".join(f"({expression})::float8" for expression in QUANTITIES.values())
    sql = f"SELECT {PART_COLUMNS[query.group]} AS part, {near} {whole.from_where} GROUP BY 1"
    parameters = query.parameters()
    if compared_with is not None:
        days = replace(query, step=Step.DAY)
        source = slots_of(days, by_key=query.has_key_filter)
        before = source.from_where.replace("%(start)s", "%(compared_start)s").replace("%(end)s", "%(compared_end)s")
        sql += f" UNION ALL SELECT NULL, {_sums(QUANTITIES)} {before}"
        parameters |= {"compared_start": compared_with.start, "compared_end": compared_with.end}
    rows = {part: dict(zip(QUANTITIES, columns, strict=True)) for part, *columns in fetch(sql, parameters)}
    compared = {name: int(number or 0) for name, number in rows.pop(None, {}).items()}
    return rows, compared


def _leaders(parts: Mapping[int, Mapping[str, float]], present: Iterable[str]) -> set[int]:
    """The parts that have a bar of their own in some chart: the largest of each quantity."""
    leaders: set[int] = set()
    for name in present:
        some = (part for part, sums in parts.items() if sums[name])
        leaders.update(sorted(some, key=lambda part: (-parts[part][name], part))[:SHOWN_PARTS])
    return leaders


def _quantities(names: Iterable[str], columns: Iterable[int]) -> dict[str, int]:
    return dict.fromkeys(QUANTITIES, 0) | dict(zip(names, map(int, columns), strict=True))


def _sums(names: Iterable[str]) -> str:
    return "".join(f", {QUANTITIES[name]} AS {name}" for name in names).removeprefix(", ") or "0"


def _slots_sql(query: UsageQuery, present: Sequence[str]) -> str:
    """Reads the bars of all parts once."""
    part, source = PART_COLUMNS[query.group], slots_of(query, by_key=query.needs_keys)
    return f"""
        SELECT {source.slot} AS slot, CASE WHEN {part} = ANY(%(leaders)s) THEN {part} END AS part, {_sums(present)}
        {source.from_where} GROUP BY 1, 2 ORDER BY 1, 2
    """


def _wide_sql(query: UsageQuery, present: Sequence[str]) -> str:
    """Reads the days of the leading parts alone and takes them from the organization's days: what is left is exactly the
    rest, whatever the number of users and keys."""
    part = PART_COLUMNS[query.group]
    days, whole = slots_of(query, by_key=True), slots_of(query, by_key=False)
    rest = ", ".join(f"max(whole.{name}) - coalesce(sum(leader_days.{name}), 0)" for name in present)
    return f"""
        WITH leader_days AS MATERIALIZED (
            SELECT {days.slot} AS slot, {part} AS part, {_sums(present)}
            {days.from_where} AND {part} = ANY(%(leaders)s) GROUP BY 1, 2
        ),
        whole AS MATERIALIZED (SELECT {whole.slot} AS slot, {_sums(present)} {whole.from_where} GROUP BY 1)
        SELECT slot, part, {", ".join(present)} FROM leader_days
        UNION ALL
        SELECT slot, NULL, {rest} FROM whole LEFT JOIN leader_days USING (slot) GROUP BY slot
        ORDER BY 1, 2
    """


def has_any_usage(organization_ids: Sequence[int]) -> bool:
    """Whether these organizations ever used anything."""
    sql = "SELECT EXISTS (SELECT FROM metering_organizationdailyusage WHERE organization_id = ANY(%(ids)s))"
    ((found,),) = fetch(sql, {"ids": list(organization_ids)})
    return bool(found)
