"""Which table answers a query: the smallest that knows enough.

A page that needs neither user nor key reads the organization's own rollup, whose size does not depend on how many keys
there are. Sums of a whole month come from the monthly rollup, days from the daily one, hours from the hourly one. The
minutes of one hour are the only look into raw events: of these organizations and that hour alone.
"""

from dataclasses import dataclass
from typing import Final

from metering.measures import MEASURES
from metering.queries import Step, UsageQuery
from metering.rollups import VISIBLE_KEY

SKU_JOIN: Final = "JOIN metering_sku sku ON sku.id = usage.sku_id"
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


@dataclass(frozen=True)
class Source:
    """Usage rows: what stands behind FROM, under the alias `usage` and joined to `sku`, and which of them are meant.

    `slot` is the expression of the bar that a row belongs to.
    """

    rows: str
    slot: str
    conditions: str

    @property
    def from_where(self) -> str:
        return f"FROM {self.rows} AS usage {SKU_JOIN} WHERE {self.conditions}"

    @property
    def lean_from_where(self) -> str:
        """For what asks nothing of `sku` itself: joined only where a filter needs it."""
        join = SKU_JOIN if "sku." in self.conditions else ""
        return f"FROM {self.rows} AS usage {join} WHERE {self.conditions}"


def slots_of(query: UsageQuery, *, by_key: bool) -> Source:
    """The rows of the bars. Without `by_key`, days come from rows that know neither user nor key."""
    if query.step == Step.MINUTE:
        return _source(query, MINUTES_SQL, "usage.minute", "true")
    if query.step == Step.HOUR:
        return _source(query, "metering_hourlyusage", "usage.hour", IN_HOURS)
    table = "metering_dailyusage" if by_key else "metering_organizationdailyusage"
    return _source(query, table, "usage.day", IN_DAYS)


def whole_of(query: UsageQuery) -> Source:
    """The fewest rows by user and key that hold the whole period."""
    if query.step == Step.MINUTE:
        return _source(query, "metering_hourlyusage", "usage.hour", IN_HOURS)
    if query.step == Step.DAY and query.is_month:
        return _source(query, "metering_monthlyusage", "usage.month", "usage.month = %(start)s")
    return _source(query, "metering_dailyusage", "usage.day", IN_DAYS)


def _source(query: UsageQuery, rows: str, slot: str, when: str) -> Source:
    return Source(rows, slot, f"{when} AND {query.filters('usage')}")
