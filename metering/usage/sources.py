"""Which table answers a query: the smallest that knows enough.

Hours and days are kept at four grains (metering/rollups/tables.py). The bars come from the coarsest one that knows the
filters, so that their number of rows does not depend on how many keys there are. The parts of a month come from the monthly
rollup, those of a day from the daily one. The minutes of one hour are the only look into raw events: of these organizations
and that hour alone. What usage was for, its project and attributes, is told by `metering.usage.attributed`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.db import connection

from metering.attribution_models import NOTHING
from metering.cluster.state import fence, is_distributed
from metering.measures import MEASURES
from metering.rollups.run import VISIBLE_KEY
from metering.usage import as_of, attributed, groupings
from metering.usage.attributed import Span
from metering.usage.groupings import UNTRACKED, Grain, Grouping
from metering.usage.queries import MEASURE_SUMS, OWN_MEASURES, SHOWN_PARTS, Step, UsageQuery, fetch

SKU_JOIN: Final = "JOIN metering_sku sku ON sku.id = usage.sku_id"
USAGE_TYPE_JOIN: Final = "CROSS JOIN LATERAL (SELECT usage.usage_type) AS sku"
"""… of rows that know of their SKUs this alone."""
IN_MONTH: Final = "usage.month = %(start)s"
IN_DAYS: Final = "usage.day >= %(start)s AND usage.day < %(end)s"
GATHERED: Final = "gathered_usage"
IN_HOURS: Final = "usage.hour >= %(start_at)s AND usage.hour < %(end_at)s"
MINUTE: Final = "date_bin('1 minute', occurred_at, '2000-01-01 00:00Z')"
# Events that wait are in no rollup yet; left out here too, the minutes of an hour add up to the hour.
EVENTS: Final = f"""FROM metering_usageevent
    WHERE organization_id = ANY(%(organization_ids)s)
      AND occurred_at >= %(start_at)s AND occurred_at < %(end_at)s
      AND batch_id NOT IN (SELECT id FROM metering_ingestbatch WHERE rolled_up_at IS NULL OR {as_of.AFTERWARDS})"""
# They are read as they stand before anything is asked of them (a fence): of the minute, an expression, PostgreSQL would expect
# as many as there are events, and sort these. With their values, if these are asked for: it knows how many events there are in
# the hour, but not how many of a SKU, and would look up the values of each if it joined SKUs first.
MINUTES_SQL: Final = f"""(
    SELECT organization_id, {MINUTE} AS minute, user_id, {VISIBLE_KEY} AS api_key_id, sku_id, attribution_id,
        {", ".join(f"coalesce({name}, 0) AS {name}" for name in MEASURES)}
    {EVENTS}
    {{fence}}
)"""
# Where nothing but their SKUs tells them apart they are few once they are added up: neither all joined nor all sorted.
SUMS_OF_MINUTES_SQL: Final = f"""(
    SELECT organization_id, {MINUTE} AS minute, sku_id,
        {", ".join(f"coalesce(sum({name}), 0) AS {name}" for name in MEASURES)}
    {EVENTS}
    GROUP BY 1, 2, 3
)"""


MONTH: Final = Span("monthly", "month", IN_MONTH)
NO_PARTS: Final = "NULL::bigint"
Dimensions = tuple[Grouping, ...]


class AsOfError(ValueError):
    """Usage is known as of a moment in the hours, days and minutes of the query's own period alone (`metering.usage.as_of`)."""


@dataclass(frozen=True)
class Source:
    """Usage rows: what stands behind FROM, under the alias `usage` and joined to `sku`, and which of them are meant.

    `slot` and `part` are the expressions of the bar and the part that a row belongs to.
    """

    rows: str
    slot: str
    part: str
    conditions: str
    sku_join: str = SKU_JOIN
    """What joins `sku` where only its filters are needed: nothing where there are none."""
    known_sku: str = SKU_JOIN
    """What joins all that the rows know of `sku`."""

    @property
    def day(self) -> str:
        """The expression of the UTC day that a row belongs to."""
        return self.slot if self.slot == "usage.day" else f"({self.slot} AT TIME ZONE 'UTC')::date"

    @property
    def from_where(self) -> str:
        return f"FROM {self.rows} AS usage {self.known_sku} WHERE {self.conditions}"

    @property
    def lean_from_where(self) -> str:
        """For what asks nothing of `sku` itself: joined only where a filter needs it."""
        return f"FROM {self.rows} AS usage {self.sku_join} WHERE {self.conditions}"

    def narrowed(self, condition: str) -> "Source":
        return replace(self, conditions=f"{self.conditions} AND {condition}")

    def sums_by_sku(self, part: str, day: str) -> str:
        """Its measures added up per bar, part and SKU; `day` is the expression of the day that a bar belongs to."""
        return f"""
            SELECT usage.organization_id, usage.sku_id, {self.slot} AS slot, {day} AS day, {part} AS part, {MEASURE_SUMS}
            {self.from_where} GROUP BY 1, 2, 3, 4, 5
        """

    def rows_by_sku(self, day: str) -> str:
        """The same columns, row by row."""
        return f"""
            SELECT usage.organization_id, usage.sku_id, {self.slot} AS slot, {day} AS day, {self.part} AS part, {OWN_MEASURES}
            {self.from_where}
        """


def is_wide(query: UsageQuery) -> bool:
    """Whether there may be far more rows by part than without parts: then only the leading parts are read bar by bar."""
    if query.step == Step.MINUTE:
        return False
    return bool(query.group.dimensions) or (
        query.group.has_many_parts and _grain(query) != _grain(query, query.group.grain)
    )


def bars_of(query: UsageQuery) -> Source:
    """The rows of the bars as a whole, which know no users, keys or values as parts."""
    return _bars(query, _grain(query), query.filtered_dimensions)


def other_days(query: UsageQuery, start: str, end: str) -> Source:
    """As `bars_of`, whole days, from the day in the parameter `start` to before the one in `end`. Raises AsOfError."""
    span = Span("daily", "day", f"usage.day >= %({start})s AND usage.day < %({end})s")
    return _source(query, _grain(query), span, query.filtered_dimensions)


def bars_by_part(query: UsageQuery, among: str = "") -> Source:
    """The rows of the bars, told apart by the query's group; of values perhaps those in the parameter `among` alone."""
    return _bars(query, _grain(query, query.group.grain), query.dimensions, among)


def bars_by(query: UsageQuery, groupings: Sequence[Grouping]) -> tuple[Source, tuple[str, ...]]:
    """The rows of the bars, told apart by all of these, and the expression of the part of each. One by `dimensions` is the
    query's group."""
    known = {grouping.grain for grouping in groupings}
    grain = Grain.KEY if known >= {Grain.USER, Grain.KEY} else _grain(query, _finest(known))
    return _bars(query, grain, query.dimensions), tuple(_part(found, grain, query.dimensions) for found in groupings)


def leaders_of(parts: Sequence[int]) -> dict[str, list[int]]:
    """The parameter `leaders`: of parts in their order, those that have bars of their own."""
    return {"leaders": list(parts[:SHOWN_PARTS])}


def leading_bars(query: UsageQuery, leaders: str = "leaders") -> tuple[Source, ...]:
    """The rows of the bars of the parts in the parameter `leaders`. Untracked usage, which may be most, has its own rows."""
    source, are_leaders = bars_by_part(query, leaders), f"ANY(%({leaders})s::bigint[])"
    if not query.group.has_untracked or query.user_ids:
        return (source.narrowed(f"{source.part} = {are_leaders}"),)
    tracked = source.narrowed(f"usage.api_key_id = ANY(array_remove(%({leaders})s::bigint[], {UNTRACKED}))")
    if query.step == Step.HOUR:
        tracked = tracked.narrowed(_by_users(are_leaders))
    return tracked, _bars(query, Grain.UNTRACKED, query.dimensions).narrowed(f"{UNTRACKED} = {are_leaders}")


def parts_of(query: UsageQuery, measures: Sequence[str] = MEASURES) -> Source:
    """The fewest rows that hold the parts of the whole period, and these measures at least."""
    return _whole(query, _grain(query, query.group.grain), query.dimensions, measures)


def has_totals(query: UsageQuery) -> bool:
    """Whether the parts are values with a row for each usage type of a month, which tells all that the query asks for."""
    return _is_of_values(query) and not query.filters_below_usage_types


def totals_of(query: UsageQuery, measures: Sequence[str] = MEASURES) -> Source:
    """As `parts_of`, for what asks of `sku` the usage type at most: of the values of a month, a row for each of these."""
    if has_totals(query):
        rows = attributed.whole_month(query, query.dimensions[0], attributed.BY_USAGE_TYPE, measures)
        return _of_usage_types(query, Grain.ORGANIZATION, rows)
    is_told = bool(query.group.dimensions) or query.group.is_told_by_keys
    if not is_told or not has_months_by_attribution(query):
        return parts_of(query, measures)
    grain = _grain(query, query.group.grain)
    return _of_usage_types(query, grain, attributed.months_by_attribution(query, grain, measures))


def has_months_by_attribution(query: UsageQuery) -> bool:
    """Whether the query needs attributions, of a month, and rows for each usage type tell the rest that it asks for."""
    return query.step == Step.DAY and bool(query.dimensions) and not query.filters_below_usage_types


def _of_usage_types(query: UsageQuery, grain: Grain, rows: str) -> Source:
    found = _made(query, grain, MONTH, rows, query.dimensions)
    return replace(found, known_sku=USAGE_TYPE_JOIN, sku_join=USAGE_TYPE_JOIN if found.sku_join else "")


def keys_of(query: UsageQuery) -> Source:
    """The fewest rows that hold the users and keys of the whole period."""
    return _whole(query, Grain.KEY, query.filtered_dimensions)


def attributions_of(query: UsageQuery) -> Source:
    """As `keys_of`, told apart by `attribution_id` too; and by SKU, unless `has_months_by_attribution`. For queries that filter
    by values: what has one is in few of them."""
    query = replace(query, group=groupings.DEFAULT)  # only filters need values here
    if has_months_by_attribution(query):
        return _of_usage_types(query, Grain.KEY, attributed.months_by_attribution(query, Grain.KEY, MEASURES))
    span = Span("daily", "day", IN_DAYS) if query.step == Step.DAY else _span_of_whole(query)
    return _made(query, Grain.KEY, span, attributed.by_attribution(query, span), query.filtered_dimensions)


def days_of(query: UsageQuery) -> Source:
    """As `parts_of`, of parts that rows know which are few whatever the number of keys."""
    whole = Span("daily", "day", IN_DAYS) if query.step == Step.DAY else _span_of_whole(query)
    return _source(query, _grain(query, query.group.grain), whole, query.dimensions, whole=True)


def is_attributed(query: UsageQuery) -> bool:
    """Whether any usage of the query's days and organizations says what it was for."""
    sql = f"""
        SELECT EXISTS (
            SELECT 1 FROM metering_attributeddailyusage AS usage
            WHERE {IN_DAYS} AND usage.organization_id = ANY(%(organization_ids)s)
        )
    """
    ((found,),) = fetch(sql, query.parameters())
    return bool(found)


def by_attribution(query: UsageQuery, when: str) -> Source:
    """The days of each key that fulfil `when`, told apart by `attribution_id` too. Inside a transaction.

    On a cluster those of the query's period are fetched from the nodes first: what is asked of them there is not known there.
    """
    if not is_distributed():
        return _by_attribution(query, when)
    found = _by_attribution(query, IN_DAYS)
    rows = f"SELECT usage.* FROM {found.rows} AS usage WHERE {IN_DAYS} AND usage.organization_id = ANY(%(organization_ids)s)"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {GATHERED}")
        cursor.execute(f"CREATE TEMPORARY TABLE {GATHERED} ON COMMIT DROP AS {rows}", query.parameters())
        cursor.execute(f"ANALYZE {GATHERED}")
    return replace(found, rows=GATHERED, conditions=found.conditions.replace(IN_DAYS, when))


def days_by_key() -> str:
    """The table of the days of keys in a statement over what `by_attribution` finds."""
    return GATHERED if is_distributed() else "metering_dailyusage"


def _by_attribution(query: UsageQuery, when: str) -> Source:
    span = Span("daily", "day", when)
    if not query.values and not is_attributed(query):
        rows = f"(SELECT *, {NOTHING} AS attribution_id FROM metering_dailyusage)"
        return _made(query, Grain.KEY, span, rows, ())
    return _made(query, Grain.KEY, span, attributed.by_attribution(query, span), query.filtered_dimensions)


def _grain(query: UsageQuery, known: Grain = Grain.ORGANIZATION) -> Grain:
    """The coarsest rows that know the query's filters, and what rows of this grain know."""
    if query.is_of_untracked and known != Grain.USER:
        return Grain.UNTRACKED
    if query.api_key_ids or known == Grain.KEY:
        return Grain.KEY
    return Grain.USER if query.user_ids else known


def _finest(grains: Collection[Grain]) -> Grain:
    return next((grain for grain in (Grain.KEY, Grain.USER) if grain in grains), Grain.ORGANIZATION)


def _bars(query: UsageQuery, grain: Grain, dimensions: Dimensions, among: str = "") -> Source:
    if query.step == Step.MINUTE:
        return _minutes(query, grain, dimensions)
    if query.step == Step.HOUR:
        hours = _source(query, grain, Span("hourly", "hour", IN_HOURS, among), dimensions)
        is_of_keys = grain == Grain.KEY and query.api_key_ids and UNTRACKED not in query.api_key_ids
        return hours.narrowed(_by_users("ANY(%(api_key_ids)s)")) if is_of_keys else hours
    return _source(query, grain, Span("daily", "day", IN_DAYS, among), dimensions)


def _by_users(keys: str) -> str:
    """A key belongs to one user, with whom the primary key of the hours finds its rows."""
    return f"usage.user_id = ANY(ARRAY(SELECT user_id FROM apikeys_apikey WHERE id = {keys}))"


def _whole(query: UsageQuery, grain: Grain, dimensions: Dimensions, measures: Sequence[str] = MEASURES) -> Source:
    if query.step != Step.DAY:
        return _source(query, grain, _span_of_whole(query), dimensions, whole=True)
    if not dimensions:
        return _made(query, Grain.KEY, MONTH, "metering_monthlyusage", dimensions)
    if len(dimensions) == 1 and grain == Grain.ORGANIZATION:
        rows = attributed.whole_month(query, dimensions[0], attributed.BY_SKU, measures)
        return _made(query, grain, MONTH, rows, dimensions)
    return _source(query, grain, Span("daily", "day", IN_DAYS), dimensions, whole=True)


def _is_of_values(query: UsageQuery) -> bool:
    """Whether it is of the parts of a month that are told by one dimension, and of nothing else that needs attributions."""
    is_of_all = _grain(query, query.group.grain) == Grain.ORGANIZATION
    return query.step == Step.DAY and query.dimensions == (query.group,) and is_of_all


def _span_of_whole(query: UsageQuery) -> Span:
    """The fewest rows of an open hour or day."""
    return Span("hourly", "hour", IN_HOURS) if query.step == Step.MINUTE else Span("daily", "day", IN_DAYS)


def _minutes(query: UsageQuery, grain: Grain, dimensions: Dimensions) -> Source:
    is_of_skus = grain == Grain.ORGANIZATION and not (query.user_ids or query.api_key_ids)
    if dimensions:
        rows = attributed.with_values(MINUTES_SQL.format(fence=""), dimensions, fence=fence())
    else:
        rows = SUMS_OF_MINUTES_SQL if is_of_skus else MINUTES_SQL.format(fence=fence())
    return _made(query, Grain.KEY, Span("", "minute", "true"), rows, dimensions, moment=query.as_of)


def _source(query: UsageQuery, grain: Grain, span: Span, dimensions: Dimensions, *, whole: bool = False) -> Source:
    rows = f"metering_{grain}{span.tables}usage"
    if dimensions:
        rows = attributed.rows(query, grain, span, dimensions, whole=whole)
    if query.as_of is not None and span.when == as_of.WHEN.get(span.slot):
        rows = as_of.rows(rows, grain, span.slot, dimensions)
        return _made(query, grain, span, rows, dimensions, moment=query.as_of)
    return _made(query, grain, span, rows, dimensions)


def _made(  # noqa: PLR0913 - what a source is made of
    query: UsageQuery, grain: Grain, span: Span, rows: str, dimensions: Dimensions, *, moment: datetime | None = None
) -> Source:
    """`moment`: that of `as_of` which the rows are of. Raises AsOfError if the query asks for another one."""
    if query.as_of != moment:
        raise AsOfError(f"These rows are not known as they were at a moment: {span.tables} usage where {span.when}.")
    filters = query.filters("usage", by_user=grain in (Grain.KEY, Grain.USER), by_key=grain == Grain.KEY)
    values = "".join(f" AND usage.value_{place} = ANY(%(values_{place})s)" for place, _ in enumerate(query.values))
    conditions = f"{span.when} AND {filters}{values}"
    return Source(rows, f"usage.{span.slot}", _part(query.group, grain, dimensions), conditions, _sku_join(query))


def _part(group: Grouping, grain: Grain, dimensions: Dimensions) -> str:
    if grain == Grain.UNTRACKED and group.has_untracked:
        return f"{UNTRACKED}::bigint"
    if group in dimensions:
        return f"usage.value_{dimensions.index(group)}"
    return group.column or NO_PARTS


def _sku_join(query: UsageQuery) -> str:
    return SKU_JOIN if query.filters_skus else ""
