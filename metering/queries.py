"""What was used, read from the daily rollups: one frozen query in, frozen rows out (docs/metrics.md defines each number).

SQL is built from constants of this module alone; every value travels as a parameter. A page that needs neither user nor
key reads the organization's own rollup, whose size does not depend on how many keys there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final

from django.db import connection

from metering.periods import Period

UNTRACKED: Final = 0
SHOWN_PARTS: Final = 7
TOP_ROWS: Final = 8


class Group(StrEnum):
    """What the bars are stacked by; the value is what stands in the address."""

    MODEL = "model"
    USER = "user"
    API_KEY = "api_key"
    ORGANIZATION = "organization"
    LINE_ITEM = "line_item"


class Rank(StrEnum):
    """What the Top lists are ordered by."""

    REQUESTS = "requests"
    TOKENS = "tokens"


@dataclass(frozen=True)
class UsageQuery:
    """Which usage a page, a chart or an export is about. An empty filter means all; `organization_ids` is never empty.

    Made by `metering.forms` alone, which has checked every id against the reader's access.
    """

    organization_ids: tuple[int, ...]
    period: Period
    user_ids: tuple[int, ...] = ()
    api_key_ids: tuple[int, ...] = ()
    model_ids: tuple[int, ...] = ()
    usage_types: tuple[int, ...] = ()
    group: Group = Group.MODEL

    @property
    def needs_keys(self) -> bool:
        """Whether the answer depends on users or keys, which the organization's own rollup does not know."""
        return bool(self.user_ids or self.api_key_ids) or self.group in (Group.USER, Group.API_KEY)

    def conditions(self, alias: str) -> str:
        """The WHERE clause over a table `alias` of daily rows joined to `sku`; its values are `parameters()`."""
        filters = [
            f"{alias}.organization_id = ANY(%(organization_ids)s)",
            f"{alias}.day >= %(start)s",
            f"{alias}.day < %(end)s",
        ]
        if self.user_ids:
            filters.append(f"{alias}.user_id = ANY(%(user_ids)s)")
        if self.api_key_ids:
            filters.append(f"{alias}.api_key_id = ANY(%(api_key_ids)s)")
        if self.model_ids:
            filters.append("sku.model_id = ANY(%(model_ids)s)")
        if self.usage_types:
            filters.append("sku.usage_type = ANY(%(usage_types)s)")
        return " AND ".join(filters)

    def parameters(self) -> dict[str, Any]:
        return {
            "organization_ids": list(self.organization_ids),
            "start": self.period.start,
            "end": self.period.end,
            "user_ids": list(self.user_ids),
            "api_key_ids": list(self.api_key_ids),
            "model_ids": list(self.model_ids),
            "usage_types": list(self.usage_types),
        }


# What the charts show, each a sum over usage rows. Context is all input that was not read from the cache.
QUANTITIES: Final = {
    "requests": "usage.num_model_requests",
    "context_tokens": "usage.input_tokens - usage.input_cached_tokens",
    "cached_tokens": "usage.input_cached_tokens",
    "generated_tokens": "usage.output_tokens",
    "tokens": "usage.input_tokens + usage.output_tokens",
    "images": "usage.images",
    "seconds": "usage.seconds",
    "characters": "usage.characters",
    "usage_bytes": "usage.usage_bytes",
    "sessions": "usage.num_sessions",
    "searches": "CASE WHEN sku.usage_type IN (9, 10) THEN usage.num_model_requests ELSE 0 END",
}
PART_COLUMNS: Final = {
    Group.MODEL: "sku.model_id",
    Group.USER: "usage.user_id",
    Group.API_KEY: "usage.api_key_id",
    Group.ORGANIZATION: "usage.organization_id",
}


@dataclass(frozen=True)
class DailyPart:
    """One part (a model, user, key or organization) on one day. `part` None is everything outside the largest parts."""

    day: date
    part: int | None
    quantities: dict[str, int]


@dataclass(frozen=True)
class DailyActivity:
    """The rows of a month, and for each quantity how many parts have any of it."""

    rows: tuple[DailyPart, ...]
    num_parts: dict[str, int]


def daily_activity(query: UsageQuery) -> DailyActivity:
    """Per day and part all quantities; parts that lead in no quantity are summed as one, so the answer stays small."""
    found = _rows(_daily_activity_sql(query), query.parameters())
    names = tuple(QUANTITIES)
    return DailyActivity(
        rows=tuple(
            DailyPart(day, part, dict(zip(names, map(int, quantities), strict=True)))
            for day, part, *quantities in found
            if day is not None
        ),
        num_parts=next(
            (dict(zip(names, map(int, counts), strict=True)) for day, _, *counts in found if day is None),
            dict.fromkeys(names, 0),
        ),
    )


def _daily_activity_sql(query: UsageQuery) -> str:
    sums = ", ".join(f"sum({expression}) AS {name}" for name, expression in QUANTITIES.items())
    ranks = ", ".join(f"row_number() OVER (ORDER BY sum({name}) DESC, part) AS {name}_rank" for name in QUANTITIES)
    leads = " OR ".join(f"(parts.{name}_rank <= {SHOWN_PARTS} AND parts.{name}_sum <> 0)" for name in QUANTITIES)
    totals = ", ".join(f"sum({name}) AS {name}_sum" for name in QUANTITIES)
    days = ", ".join(f"sum(days.{name})" for name in QUANTITIES)
    counts = ", ".join(f"count(*) FILTER (WHERE {name}_sum <> 0)" for name in QUANTITIES)
    return f"""
        WITH days AS (
            SELECT usage.day, {PART_COLUMNS[query.group]} AS part, {sums}
            FROM {_table(query)} usage JOIN metering_sku sku ON sku.id = usage.sku_id
            WHERE {query.conditions("usage")}
            GROUP BY 1, 2
        ),
        parts AS (SELECT part, {totals}, {ranks} FROM days GROUP BY part)
        SELECT days.day, CASE WHEN {leads} THEN days.part END AS shown_part, {days}
        FROM days JOIN parts USING (part)
        GROUP BY 1, 2
        UNION ALL
        SELECT NULL, NULL, {counts} FROM parts
        ORDER BY 1, 2
    """


def _table(query: UsageQuery) -> str:
    return "metering_dailyusage" if query.needs_keys else "metering_organizationdailyusage"


@dataclass(frozen=True)
class TopRow:
    """One row of a Top list: the user, key or organization with this id, and what it used."""

    group: Group
    id: int
    requests: int
    tokens: int

    def value(self, rank: Rank) -> int:
        return self.requests if rank == Rank.REQUESTS else self.tokens


def top_lists(query: UsageQuery, rank: Rank) -> tuple[TopRow, ...]:
    """The largest users, keys and organizations of the period, each list in order; Untracked is always among the keys."""
    sql = f"""
        WITH keys AS (
            SELECT usage.organization_id, usage.user_id, usage.api_key_id,
                sum(usage.num_model_requests) AS requests, sum({QUANTITIES["tokens"]}) AS tokens
            FROM metering_dailyusage usage {_sku_join(query)}
            WHERE {query.conditions("usage")}
            GROUP BY 1, 2, 3
        ),
        lists AS (
            SELECT CASE WHEN grouping(user_id) = 0 THEN 'user' WHEN grouping(api_key_id) = 0 THEN 'api_key'
                    ELSE 'organization' END AS list,
                coalesce(user_id, api_key_id, organization_id) AS id, sum(requests) AS requests, sum(tokens) AS tokens
            FROM keys
            GROUP BY GROUPING SETS ((user_id), (api_key_id), (organization_id))
        ),
        ranked AS (SELECT *, row_number() OVER (PARTITION BY list ORDER BY {rank.value} DESC, id) AS place FROM lists)
        SELECT list, id, requests, tokens FROM ranked
        WHERE place <= {TOP_ROWS} OR list = 'api_key' AND id = {UNTRACKED}
        ORDER BY list, place
    """
    return tuple(
        TopRow(Group(group), found_id, int(requests), int(tokens))
        for group, found_id, requests, tokens in _rows(sql, query.parameters())
    )


def _sku_join(query: UsageQuery) -> str:
    return "JOIN metering_sku sku ON sku.id = usage.sku_id" if query.model_ids or query.usage_types else ""


def has_any_usage(organization_ids: Sequence[int]) -> bool:
    """Whether these organizations ever used anything."""
    sql = "SELECT EXISTS (SELECT FROM metering_organizationdailyusage WHERE organization_id = ANY(%(ids)s))"
    ((found,),) = _rows(sql, {"ids": list(organization_ids)})
    return bool(found)


def _rows(sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def total(rows: Sequence[DailyPart], name: str) -> int:
    """The sum of one quantity over all days and parts."""
    return sum(row.quantities[name] for row in rows)
