"""Who used most: the Top lists of a page, and the pages of all users, keys, models or organizations behind them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from metering.usage.groupings import GROUPINGS, UNTRACKED, Grouping
from metering.usage.queries import Rank, UsageQuery, fetch
from metering.usage.sources import days_of, keys_of, totals_of

TOP_ROWS: Final = 8
PAGE_ROWS: Final = 50
LISTED: Final = ("num_model_requests", "input_tokens", "output_tokens")
TOKENS: Final = "sum(usage.input_tokens) + sum(usage.output_tokens)"


@dataclass(frozen=True)
class TopRow:
    """One row of a list: the user, key, model or organization with this id, and what it used; and how long the list is."""

    group: Grouping
    id: int
    requests: int
    tokens: int
    list_size: int = 1

    def value(self, rank: Rank) -> int:
        return self.requests if rank == Rank.REQUESTS else self.tokens


@dataclass(frozen=True)
class RankingPage:
    """One page of a list. `num_rows` counts the rows of all pages; `largest` is the greatest value of them."""

    rows: tuple[TopRow, ...]
    num_rows: int
    largest: int


def top_lists(query: UsageQuery, rank: Rank, groups: Sequence[Grouping] = ()) -> tuple[TopRow, ...]:
    """The largest users, keys and organizations of the period, and the largest parts of these other groupings; each list in
    order. Untracked is always among the keys."""
    others = [replace(query, group=group) for group in groups]
    sql = f"""
        WITH keys AS MATERIALIZED (
            SELECT usage.organization_id, usage.user_id, usage.api_key_id,
                sum(usage.num_model_requests) AS requests, {TOKENS} AS tokens
            {keys_of(query).lean_from_where}
            GROUP BY 1, 2, 3
        ),
        lists AS (
            SELECT CASE WHEN grouping(user_id) = 0 THEN 'user' WHEN grouping(api_key_id) = 0 THEN 'api_key'
                    ELSE 'organization' END AS list,
                coalesce(user_id, api_key_id, organization_id) AS id, sum(requests) AS requests, sum(tokens) AS tokens
            FROM keys
            GROUP BY GROUPING SETS ((user_id), (api_key_id), (organization_id))
            {"".join(f" UNION ALL ({_parts_sql(other)})" for other in others)}
        ),
        ranked AS (
            SELECT *, row_number() OVER (PARTITION BY list ORDER BY {rank.value} DESC, id) AS place,
                count(*) OVER (PARTITION BY list) AS list_size
            FROM lists
        )
        SELECT list, id, requests, tokens, list_size FROM ranked
        WHERE place <= {TOP_ROWS} OR list = 'api_key' AND id = {UNTRACKED}
        ORDER BY list, place
    """
    named = GROUPINGS | {group.word: group for group in groups}
    parameters = query.parameters()
    for other in others:
        parameters |= other.parameters()
    return tuple(
        TopRow(named[group], found_id, int(requests), int(tokens), list_size)
        for group, found_id, requests, tokens, list_size in fetch(sql, parameters)
    )


def _parts_sql(query: UsageQuery) -> str:
    """The parts of a grouping that the rows of users and keys do not tell, from rows that do not grow with the keys."""
    parts = totals_of(query, LISTED) if query.group.dimensions else days_of(query)
    return f"""
        SELECT '{query.group.word}', {parts.part}, sum(usage.num_model_requests), {TOKENS}
        {parts.from_where if query.group.column else parts.lean_from_where} GROUP BY 2
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
    found = (TopRow(group, part, int(requests), int(tokens)) for part, requests, tokens in rows)
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
