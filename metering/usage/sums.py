"""What was used per bar and part, and in all: frozen rows for the Activity page (docs/metrics.md defines each number)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from accounts.access import Access
from accounts.periods import Period
from metering.measures import MEASURES
from metering.usage.breakdown import Amount, Breakdown, break_down
from metering.usage.groupings import NONE, Grouping
from metering.usage.queries import SHOWN_PARTS, Rank, Slot, Step, UsageQuery, fetch
from metering.usage.rankings import TOP_ROWS, TopRow
from metering.usage.sources import Source, bars_by_part, bars_of, is_wide, leading_bars, other_days, totals_of

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
    "reasoning_tokens": "sum(usage.output_reasoning_tokens)",
    "searches": "sum(CASE WHEN sku.usage_type IN (9, 10) THEN usage.num_model_requests ELSE 0 END)",
}
KINDS_OF_TOKENS: Final = frozenset({"context_tokens", "cached_tokens", "generated_tokens"})
"""Quantities that are drawn where there are tokens, all parts together: nothing is ranked by them."""
BY_PART: Final = tuple(name for name in QUANTITIES if name not in KINDS_OF_TOKENS)
RANKED_BY: Final = tuple(
    measure for measure in MEASURES if any(f"usage.{measure})" in QUANTITIES[name] for name in BY_PART)
)
"""The measures that they are made of."""
RANKS: Final = {name: re.sub(r"usage\.\w+", r"\g<0>::float8", QUANTITIES[name]) for name in BY_PART}
"""The same in half of the time: exact up to 2^53, and near enough to rank by beyond."""
HAS_BARS: Final = {name: f"bool_or({QUANTITIES[name].replace('sum(', '(')} <> 0)" for name in BY_PART}
"""Whether any row has some of each quantity."""


@dataclass(frozen=True)
class PartSums:
    """One part (a model, user, key …) in one bar. `part` None is everything outside the largest parts."""

    slot: Slot
    part: int | None
    quantities: dict[str, int]


@dataclass(frozen=True)
class Activity:
    """The bars of a period, and for each quantity that is no kind of tokens how many parts have any of it, and its sum in the
    compared period.

    A part has some of a quantity if one of its bars has, though corrections may bring all of them together down to nothing.
    `top` is the list of the group's largest parts, where that was asked for.
    """

    rows: tuple[PartSums, ...]
    num_parts: dict[str, int]
    compared: dict[str, int] = field(default_factory=dict)
    top: tuple[TopRow, ...] = ()

    def total(self, quantity: str) -> int:
        """The sum of one quantity over all bars and parts."""
        return sum(row.quantities[quantity] for row in self.rows)

    def bars(self, quantity: str, slots: Sequence[Slot]) -> tuple[int, ...]:
        """One quantity of all parts together, per bar."""
        sums = dict.fromkeys(slots, 0)
        for row in self.rows:
            sums[row.slot] += row.quantities[quantity]
        return tuple(sums.values())

    def breakdown(self, quantity: str, group: Grouping, slots: Sequence[Slot]) -> Breakdown:
        """One quantity by the parts of the query's group."""
        amounts = (Amount(row.slot, row.part, row.quantities[quantity]) for row in self.rows)
        return break_down(group, slots, amounts, num_parts=self.num_parts[quantity])


def tells_top(query: UsageQuery) -> bool:
    """Whether what ranks the parts of the query's group knows their Top list as well: `top_lists` would read the same rows."""
    return bool(query.group.attribute) and not query.values


def activity_of(query: UsageQuery, compared_with: Period | None = None, *, top_by: Rank | None = None) -> Activity:
    """Per bar and part all quantities; parts that lead in no quantity are summed as one, so the answer stays small.

    The parts are ranked by the sums of the whole period first. What is drawn, and every total, comes from one statement.
    With `top_by` the Top list of the group is made along the way, of a query that `tells_top`.
    """
    ranked, present, compared, top = _ranked_parts(query, compared_with, top_by)
    leaders = {name: found.leaders for name, found in ranked.items()}
    num_parts = {name: found.number for name, found in ranked.items()}
    rows = _bars(query, present, leaders)
    if hidden := [name for name in leaders if num_parts[name] <= SHOWN_PARTS and _has_rest(rows, name)]:
        for name, parts in _parts_with_bars(query, hidden).items():
            leaders[name] += sorted(parts - set(leaders[name]))
            num_parts[name] = len(leaders[name])
        rows = _bars(query, present, leaders)
    return Activity(rows, num_parts, compared, top)


def _bars(query: UsageQuery, present: Sequence[str], leaders: Mapping[str, Sequence[int]]) -> tuple[PartSums, ...]:
    """The bars of the parts that lead in any quantity, and of the others as one."""
    if not present:
        return ()
    leading = set().union(*(parts[:SHOWN_PARTS] for parts in leaders.values()))
    parameters = query.parameters() | {"leaders": sorted(leading)}
    found = fetch(_wide_sql(query, present) if is_wide(query) else _bars_sql(query, present), parameters)
    return tuple(PartSums(slot, part, _quantities(present, columns)) for slot, part, *columns in found)


def _has_rest(rows: Iterable[PartSums], quantity: str) -> bool:
    """Whether bars of the quantity are left when the leading parts are taken from them."""
    return any(row.part is None and row.quantities[quantity] for row in rows)


def _parts_with_bars(query: UsageQuery, quantities: Sequence[str]) -> dict[str, set[int]]:
    """For each of the quantities the parts with a bar that is not nothing. Reads the bars of all parts: asked only where
    corrections brought a part down to nothing, so that the sums of the period do not know it."""
    bars = bars_by_part(query)
    found = fetch(
        f"""
        SELECT part, {", ".join(f"bool_or({name} <> 0)" for name in quantities)}
        FROM (SELECT {bars.slot} AS slot, {bars.part} AS part, {_sums(quantities)} {bars.from_where} GROUP BY 1, 2) AS bar
        GROUP BY part
        """,
        query.parameters(),
    )
    return {name: {part for part, *has in found if has[place]} for place, name in enumerate(quantities)}


@dataclass(frozen=True)
class Ranked:
    """The parts that have any of a quantity: how many, and the largest of them in order."""

    number: int
    leaders: list[int]


def _ranked_parts(
    query: UsageQuery, compared_with: Period | None, top_by: Rank | None
) -> tuple[dict[str, Ranked], list[str], dict[str, int], tuple[TopRow, ...]]:
    """Each quantity's parts; the quantities that there are, of parts or of the whole; those of the compared period; and the
    Top list of the group."""
    knows_bars = query.step == Step.DAY and not query.group.has_many_parts
    sql = _ranking_sql(bars_by_part(query) if knows_bars else totals_of(query, RANKED_BY), knows_bars=knows_bars)
    parameters = query.parameters()
    if not knows_bars and query.step != Step.MINUTE:
        has = ", ".join(f"({expression})::integer" for expression in HAS_BARS.values())
        sql += f" UNION ALL SELECT 'whole', ARRAY[{has}]::numeric[], NULL {bars_of(query).from_where}"
    if compared_with is not None:
        days = other_days(query, "compared_start", "compared_end")
        sums = ", ".join(QUANTITIES[name] for name in BY_PART)
        sql += f" UNION ALL SELECT 'before', ARRAY[{sums}]::numeric[], NULL {days.from_where}"
        parameters |= {"compared_start": compared_with.start, "compared_end": compared_with.end}
    if top_by is not None:
        sql += f" UNION ALL ({_top_sql(top_by)})"
    rows = fetch(sql, parameters)
    top = (TopRow(query.group, *map(int, numbers)) for kind, numbers, _ in rows if kind == "top")
    found = {kind: (numbers, leaders) for kind, numbers, leaders in rows}
    num_parts, has_any, before = (_by_quantity(found.get(kind)) for kind in ("parts", "whole", "before"))
    ranked = {name: Ranked(number, found[name][1]) for name, number in num_parts.items()}
    present = {name for name in BY_PART if num_parts[name] or has_any.get(name)}
    if "tokens" in present:
        present |= KINDS_OF_TOKENS
    return ranked, [name for name in QUANTITIES if name in present], before, tuple(top)


def _by_quantity(row: tuple[Sequence[int | None], object] | None) -> dict[str, int]:
    return {} if row is None else {name: int(number or 0) for name, number in zip(BY_PART, row[0], strict=True)}


def _ranking_sql(whole: Source, *, knows_bars: bool) -> str:
    """kind, numbers, parts: of the kind `parts` how many have any of each quantity; of a quantity's name the largest of them.
    Of thousands of parts those few are all that leaves the database, and for what no part has any of they are not looked
    through. `knows_bars`: the rows are bars, and a part has what one of them has.
    """
    near = "".join(f", {expression} AS {name}" for name, expression in RANKS.items())
    owned = "".join(f", {condition} AS has_{name}" for name, condition in HAS_BARS.items()) if knows_bars else ""
    has = {name: f"has_{name}" if knows_bars else f"{name} <> 0" for name in BY_PART}
    numbers = ", ".join(f"count(*) FILTER (WHERE {condition}) AS {name}" for name, condition in has.items())
    largest = " ".join(
        f"UNION ALL SELECT '{name}', NULL, ARRAY(SELECT part FROM ranked"
        f" WHERE {condition} AND (SELECT {name} > 0 FROM numbers) ORDER BY {name} DESC, part LIMIT {SHOWN_PARTS})"
        for name, condition in has.items()
    )
    return f"""
        WITH ranked AS MATERIALIZED (SELECT {whole.part}::bigint AS part{near}{owned} {whole.from_where} GROUP BY 1),
        numbers AS MATERIALIZED (SELECT {numbers} FROM ranked)
        SELECT 'parts' AS kind, ARRAY[{", ".join(BY_PART)}]::numeric[] AS numbers, NULL::bigint[] AS parts
        FROM numbers {largest}
    """


def _top_sql(rank: Rank) -> str:
    """The largest of `ranked`, how much each has, and how many there are; what has no value is among them if anything of it is
    ranked by, as in `top_lists`."""
    is_listed = f"(part <> {NONE} OR {' OR '.join(f'{rank.value} <> 0' for rank in Rank)})"
    return f"""
        SELECT 'top', ARRAY[part, {rank.value}, (SELECT count(*) FROM ranked WHERE {is_listed})]::numeric[], NULL
        FROM ranked WHERE {is_listed} ORDER BY {rank.value} DESC, part LIMIT {TOP_ROWS}
    """


def _quantities(names: Iterable[str], columns: Iterable[int]) -> dict[str, int]:
    return dict.fromkeys(QUANTITIES, 0) | dict(zip(names, map(int, columns), strict=True))


def _sums(names: Iterable[str]) -> str:
    return "".join(f", {QUANTITIES[name]} AS {name}" for name in names).removeprefix(", ") or "0"


def _bars_sql(query: UsageQuery, present: Sequence[str]) -> str:
    """Reads the bars of all parts once."""
    bars = bars_by_part(query)
    return f"""
        SELECT {bars.slot} AS slot, CASE WHEN {bars.part} = ANY(%(leaders)s) THEN {bars.part} END AS part, {_sums(present)}
        {bars.from_where} GROUP BY 1, 2 ORDER BY 1, 2
    """


def _wide_sql(query: UsageQuery, present: Sequence[str]) -> str:
    """Reads the bars of the leading parts alone and takes them from the bars as a whole: what is left is exactly the rest,
    whatever the number of users and keys."""
    whole = bars_of(query)
    leading = " UNION ALL ".join(
        f"SELECT {bars.slot} AS slot, {bars.part} AS part, {_sums(present)} {bars.from_where} GROUP BY 1, 2"
        for bars in leading_bars(query)
    )
    rest = ", ".join(f"max(whole.{name}) - coalesce(sum(leading_bars.{name}), 0)" for name in present)
    return f"""
        WITH leading_bars AS MATERIALIZED ({leading}),
        whole AS MATERIALIZED (SELECT {whole.slot} AS slot, {_sums(present)} {whole.from_where} GROUP BY 1)
        SELECT slot, part, {", ".join(present)} FROM leading_bars
        UNION ALL
        SELECT slot, NULL, {rest} FROM whole LEFT JOIN leading_bars USING (slot) GROUP BY slot
        ORDER BY 1, 2
    """


def has_any_usage(access: Access) -> bool:
    """Whether the reader may see that anything was ever used here."""
    table = "metering_organizationdailyusage" if access.sees_all_usage else "metering_userdailyusage"
    own = "" if access.sees_all_usage else "AND user_id = %(own)s"
    sql = f"SELECT EXISTS (SELECT 1 FROM {table} WHERE organization_id = ANY(%(ids)s) {own})"
    ((found,),) = fetch(sql, {"ids": [found.id for found in access.organizations], "own": access.user.id})
    return bool(found)
