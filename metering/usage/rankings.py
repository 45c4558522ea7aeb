"""Who used most: the Top lists of a page, and the pages of all users, keys, models or organizations behind them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from metering.usage.attributed import with_values
from metering.usage.groupings import API_KEY, ORGANIZATION, UNTRACKED, USER, Grouping
from metering.usage.queries import Rank, UsageQuery, fetch
from metering.usage.sources import SKU_JOIN, attributions_of, days_of, has_months_by_attribution, keys_of, totals_of

TOP_ROWS: Final = 8
PAGE_ROWS: Final = 50
LISTED: Final = ("num_model_requests", "input_tokens", "output_tokens")
TOKENS: Final = "sum(usage.input_tokens) + sum(usage.output_tokens)"
# A float is exact up to 2^53, which requests do not reach; the lists show tokens shortly. It takes half of the time.
RANKED: Final = {
    Rank.REQUESTS: "sum(usage.num_model_requests::float8)",
    Rank.TOKENS: "sum(usage.input_tokens::float8) + sum(usage.output_tokens::float8)",
}
BY_KEYS: Final = {USER: "user_id", API_KEY: "api_key_id", ORGANIZATION: "organization_id"}
UNTRACKED_LIST: Final = tuple(BY_KEYS).index(API_KEY)


@dataclass(frozen=True)
class TopRow:
    """One row of a Top list: the user, key, model or other part with this id, what it used of the rank, and how long the list
    is."""

    group: Grouping
    id: int
    value: int
    list_size: int = 1


@dataclass(frozen=True)
class PartUsage:
    """One row of the list of all parts."""

    id: int
    requests: int
    tokens: int


@dataclass(frozen=True)
class RankingPage:
    """One page of a list. `num_rows` counts the rows of all pages; `largest` is the greatest value of them."""

    rows: tuple[PartUsage, ...]
    num_rows: int
    largest: int


def top_lists(query: UsageQuery, rank: Rank, groups: Sequence[Grouping] = ()) -> tuple[TopRow, ...]:
    """The largest users, keys and organizations of the period, and the largest parts of these other groupings; each list in
    order. Untracked is always among the keys."""
    others = [replace(query, group=group) for group in groups]
    lists = {
        **{
            group: f"SELECT {column} AS id, sum(value) AS value FROM keys GROUP BY 1"
            for group, column in BY_KEYS.items()
        },
        **{other.group: (_parts_of_keys if query.values else _parts_sql)(other, rank) for other in others},
    }
    sql = f"""
        WITH keys AS MATERIALIZED ({_keys_sql(query, rank)}),
        {", ".join(f"list_{place} AS MATERIALIZED ({parts})" for place, parts in enumerate(lists.values()))}
        {" UNION ALL ".join(_first(place) for place in range(len(lists)))}
        UNION ALL SELECT {UNTRACKED_LIST}, id, value, 0 FROM list_{UNTRACKED_LIST} WHERE id = {UNTRACKED}
    """
    parameters = query.parameters()
    for other in others:
        parameters |= other.parameters()
    order = tuple(lists)
    sizes: dict[int, int] = {}
    rows: dict[tuple[int, int], TopRow] = {}
    for place, found_id, value, list_size in fetch(sql, parameters):
        size = sizes.setdefault(place, list_size)
        rows.setdefault((place, found_id), TopRow(order[place], found_id, int(value), size))
    return tuple(rows.values())


def _first(place: int) -> str:
    """Which list, id, value and how long the list is, of its largest rows."""
    return f"""(
        SELECT {place}, id, value, (SELECT count(*) FROM list_{place}) FROM list_{place}
        ORDER BY value DESC, id LIMIT {TOP_ROWS}
    )"""


def _keys_sql(query: UsageQuery, rank: Rank) -> str:
    """What each key used; of a query that filters by values told apart by attribution too, and where days are read by SKU: then
    all parts follow from these rows, and the days are read once."""
    apart = "usage.organization_id, usage.user_id, usage.api_key_id"
    if not query.values:
        return f"SELECT {apart}, {RANKED[rank]} AS value {keys_of(query).lean_from_where} GROUP BY 1, 2, 3"
    if not has_months_by_attribution(query):
        apart += ", usage.sku_id"
    return f"""
        SELECT {apart}, usage.attribution_id, {RANKED[rank]} AS value
        {attributions_of(query).lean_from_where} GROUP BY {apart}, usage.attribution_id
    """


def _parts_of_keys(query: UsageQuery, rank: Rank) -> str:
    """As `_parts_sql`, from the rows of keys, which tell what usage was for and, where days were read, all parts."""
    group = query.group
    if group.dimensions:
        return f"SELECT value_0 AS id, sum(value) AS value FROM {with_values('keys', (group,))} AS usage GROUP BY 1"
    if has_months_by_attribution(query):
        return _parts_sql(query, rank)
    return f"SELECT {group.column} AS id, sum(value) AS value FROM keys AS usage {SKU_JOIN} GROUP BY 1"


def _parts_sql(query: UsageQuery, rank: Rank) -> str:
    """The parts of a grouping that the rows of users and keys do not tell, from rows that do not grow with the keys."""
    parts = totals_of(query, LISTED) if query.group.dimensions else days_of(query)
    return f"""
        SELECT {parts.part} AS id, {RANKED[rank]} AS value
        {parts.from_where if query.group.column else parts.lean_from_where} GROUP BY 1
    """


def ranking_page(query: UsageQuery, group: Grouping, rank: Rank, *, search: str, page: int) -> RankingPage:
    """The page (from 1) of all parts whose name has the searched text, the largest first. A page beyond the last is empty."""
    named = f"SELECT id FROM ({group.words}) AS named WHERE id IN (SELECT part FROM parts) AND words ILIKE %(pattern)s"
    matches = f"WHERE part IN ({named})"
    query = replace(query, group=group)
    parts = totals_of(query, LISTED)
    sql = f"""
        WITH parts AS (
            SELECT {parts.part} AS part, sum(usage.num_model_requests) AS requests, {TOKENS} AS tokens
            {parts.from_where}
            GROUP BY 1
        ),
        found AS MATERIALIZED (SELECT * FROM parts {matches if search else ""})
        SELECT NULL, count(*), coalesce(max({rank.value}), 0) FROM found
        UNION ALL
        (SELECT part, requests, tokens FROM found
        ORDER BY {rank.value} DESC, part LIMIT {PAGE_ROWS} OFFSET %(offset)s)
    """
    parameters = query.parameters() | {
        "pattern": pattern(search),
        "nothing": group.nothing_name,
        "offset": (page - 1) * PAGE_ROWS,
    }
    (_, num_rows, largest), *rows = fetch(sql, parameters)
    found = (PartUsage(part, int(requests), int(tokens)) for part, requests, tokens in rows)
    return RankingPage(tuple(found), int(num_rows), int(largest))


def ids_named(group: Grouping, ids: Collection[int], search: str) -> set[int]:
    """Those of the ids whose name has the searched text."""
    sql = f"SELECT id FROM ({group.words}) AS named WHERE id = ANY(%(ids)s) AND words ILIKE %(pattern)s"
    return {
        found for (found,) in fetch(sql, {"ids": list(ids), "pattern": pattern(search), "nothing": group.nothing_name})
    }


def pattern(search: str) -> str:
    r"""The ILIKE pattern of a text anywhere: '50%' → '%50\%%'."""
    escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
