"""Which table answers a query: the smallest that knows enough.

Hours and days are kept at four grains (metering/rollups/tables.py). The bars come from the coarsest one that knows the
filters, so that their number of rows does not depend on how many keys there are. The parts of a month come from the monthly
rollup, those of a day from the daily one. The minutes of one hour are the only look into raw events: of these organizations
and that hour alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from metering.measures import MEASURES
from metering.rollups.run import VISIBLE_KEY
from metering.usage.groupings import UNTRACKED, Grain
from metering.usage.queries import SHOWN_PARTS, Step, UsageQuery

SKU_JOIN: Final = "JOIN metering_sku sku ON sku.id = usage.sku_id"
OWN_MEASURES: Final = ", ".join(f"usage.{measure}" for measure in MEASURES)
MEASURE_SUMS: Final = ", ".join(f"sum(usage.{measure}) AS {measure}" for measure in MEASURES)
IN_DAYS: Final = "usage.day >= %(start)s AND usage.day < %(end)s"
IN_HOURS: Final = "usage.hour >= %(start_at)s AND usage.hour < %(end_at)s"
# Events that wait are in no rollup yet; left out here too, the minutes of an hour add up to the hour.
MINUTES_SQL: Final = f"""(
    SELECT organization_id, date_bin('1 minute', occurred_at, '2000-01-01 00:00Z') AS minute, user_id,
        {VISIBLE_KEY} AS api_key_id, sku_id, {", ".join(f"coalesce({name}, 0)::numeric AS {name}" for name in MEASURES)}
    FROM metering_usageevent
    WHERE organization_id = ANY(%(organization_ids)s)
      AND occurred_at >= %(start_at)s AND occurred_at < %(end_at)s
      AND batch_id NOT IN (SELECT id FROM metering_ingestbatch WHERE rolled_up_at IS NULL)
)"""


NO_PARTS: Final = "NULL::bigint"


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

    @property
    def from_where(self) -> str:
        return f"FROM {self.rows} AS usage {SKU_JOIN} WHERE {self.conditions}"

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
    return (
        query.group.has_many_parts and query.step != Step.MINUTE and _grain(query) != _grain(query, query.group.grain)
    )


def bars_of(query: UsageQuery) -> Source:
    """The rows of the bars as a whole, which know no users or keys as parts."""
    return _bars(query, _grain(query))


def other_days(query: UsageQuery, start: str, end: str) -> Source:
    """As `bars_of`, whole days, from the day in the parameter `start` to before the one in `end`."""
    when = f"usage.day >= %({start})s AND usage.day < %({end})s"
    grain = _grain(query)
    return _source(query, grain, f"metering_{grain}dailyusage", "usage.day", when)


def bars_by_part(query: UsageQuery) -> Source:
    """The rows of the bars, told apart by the query's group."""
    return _bars(query, _grain(query, query.group.grain))


def leaders_of(parts: Sequence[int]) -> dict[str, list[int]]:
    """The parameter `leaders`: of parts in their order, those that have bars of their own."""
    return {"leaders": list(parts[:SHOWN_PARTS])}


def leading_bars(query: UsageQuery, leaders: str = "leaders") -> tuple[Source, ...]:
    """The rows of the bars of the parts in the parameter `leaders`. Untracked usage, which may be most, has its own rows."""
    source, are_leaders = bars_by_part(query), f"ANY(%({leaders})s::bigint[])"
    if not query.group.has_untracked or query.user_ids:
        return (source.narrowed(f"{source.part} = {are_leaders}"),)
    tracked = source.narrowed(f"usage.api_key_id = ANY(array_remove(%({leaders})s::bigint[], {UNTRACKED}))")
    if query.step == Step.HOUR:
        tracked = tracked.narrowed(_by_users(are_leaders))
    return tracked, _bars(query, Grain.UNTRACKED).narrowed(f"{UNTRACKED} = {are_leaders}")


def parts_of(query: UsageQuery) -> Source:
    """The fewest rows that hold the parts of the whole period."""
    return _whole(query, _grain(query, query.group.grain))


def keys_of(query: UsageQuery) -> Source:
    """The fewest rows that hold the users and keys of the whole period."""
    return _whole(query, Grain.KEY)


def _grain(query: UsageQuery, known: Grain = Grain.ORGANIZATION) -> Grain:
    """The coarsest rows that know the query's filters, and what rows of this grain know."""
    if query.is_of_untracked and known != Grain.USER:
        return Grain.UNTRACKED
    if query.api_key_ids or known == Grain.KEY:
        return Grain.KEY
    return Grain.USER if query.user_ids else known


def _bars(query: UsageQuery, grain: Grain) -> Source:
    if query.step == Step.MINUTE:
        return _source(query, Grain.KEY, MINUTES_SQL, "usage.minute", "true")
    if query.step == Step.HOUR:
        hours = _source(query, grain, f"metering_{grain}hourlyusage", "usage.hour", IN_HOURS)
        is_of_keys = grain == Grain.KEY and query.api_key_ids and UNTRACKED not in query.api_key_ids
        return hours.narrowed(_by_users("ANY(%(api_key_ids)s)")) if is_of_keys else hours
    return _source(query, grain, f"metering_{grain}dailyusage", "usage.day", IN_DAYS)


def _by_users(keys: str) -> str:
    """A key belongs to one user, with whom the primary key of the hours finds its rows."""
    return f"usage.user_id = ANY(ARRAY(SELECT user_id FROM apikeys_apikey WHERE id = {keys}))"


def _whole(query: UsageQuery, grain: Grain) -> Source:
    if query.step == Step.MINUTE:
        return _source(query, grain, f"metering_{grain}hourlyusage", "usage.hour", IN_HOURS)
    if query.step == Step.HOUR:
        return _source(query, grain, f"metering_{grain}dailyusage", "usage.day", IN_DAYS)
    return _source(query, Grain.KEY, "metering_monthlyusage", "usage.month", "usage.month = %(start)s")


def _source(query: UsageQuery, grain: Grain, rows: str, slot: str, when: str) -> Source:
    filters = query.filters("usage", by_user=grain in (Grain.KEY, Grain.USER), by_key=grain == Grain.KEY)
    part = query.group.column or NO_PARTS
    if grain == Grain.UNTRACKED and query.group.has_untracked:
        part = f"{UNTRACKED}::bigint"
    return Source(rows, slot, part, f"{when} AND {filters}", SKU_JOIN if query.filters_skus else "")
