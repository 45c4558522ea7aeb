"""The tables of sums: what a row of each stands for, and the query that makes it from the next finer layer.

Raw events are added up per hour and key; hours make days, and days months. Hours and days are kept at three coarser
grains too (user, untracked, organization), so that no page reads the rows of all keys. What has an attribution is in tables
of its own beside them, once by the whole combination and once by each value in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from metering.attribution_models import ALL
from metering.cluster.state import expected_many, is_distributed
from metering.measures import MEASURES

COLUMNS: Final = ", ".join(MEASURES)
SUMS: Final = ", ".join(f"coalesce(sum({measure}), 0) AS {measure}" for measure in MEASURES)
HOUR: Final = "date_bin('1 hour', occurred_at, '2000-01-01 00:00Z')"
DAY: Final = "(hour AT TIME ZONE 'UTC')::date AS day"
MONTH: Final = "date_trunc('month', day::timestamp)::date AS month"
UNTRACKED_ONLY: Final = "api_key_id = 0"
GATHERED: Final = "gathered_rows"
IN_HOURS: Final = "hour >= %(start)s AND hour < %(end)s"
IN_DAYS: Final = "day >= %(first_day)s AND day < %(end_day)s"


@dataclass(frozen=True, slots=True)
class Rollup:
    """A table of sums and the columns of its key. `finer_key` is that key as expressions over the finer layer's rows, of
    which only those are added up that fulfil `only`. `has_more_indexes`: rows are not found by their key alone."""

    table: str
    key: str
    finer_key: str
    only: str = "true"
    has_more_indexes: bool = False

    def sums_of(self, finer: str, sums: str = SUMS, *, when: str = "true") -> str:
        """The query that adds up the rows of the finer layer."""
        numbers = ", ".join(f"{n}" for n, _ in enumerate(self.key.split(", "), start=1))
        return f"SELECT {self.finer_key}, {sums} FROM {finer} WHERE {self.only} AND {when} GROUP BY {numbers}"

    def rows_of(self, finer: str, used: Sequence[str]) -> str:
        """The same of a finer layer whose rows each belong to a row of their own here: there is nothing to add up."""
        return f"SELECT {self.finer_key}, {', '.join(used)} FROM {finer} WHERE {self.only}"

    def add(self, cursor: Any, new: str, used: Sequence[str]) -> None:
        """Add the query's rows (key, new sums) of the measures in `used` to the table; the others are 0 in all of them.

        Keys are sorted, so that neighbours in the table are changed one after the other.
        """
        if is_distributed() and self.table not in DISTRIBUTED:
            self._gather(cursor, new)
            new = f"SELECT * FROM {GATHERED}"
        keys = self.key.split(", ")
        values = ", ".join(
            [f"new.{name}" for name in keys] + [f"new.{name}" if name in used else "0" for name in MEASURES]
        )
        cursor.execute(self._upsert(new, values, used) if self.has_more_indexes else self._merge(new, values, used))

    def _merge(self, new: str, values: str, used: Sequence[str]) -> str:
        """The caller is the one writer, so that MERGE is safe. It costs a fifth less than INSERT … ON CONFLICT, which locks each
        row before it changes it."""
        keys = self.key.split(", ")
        same, many = " AND ".join(f"total.{name} = new.{name}" for name in keys), expected_many(keys[0])
        changes = ", ".join(f"{measure} = total.{measure} + new.{measure}" for measure in used)
        return f"""
        MERGE INTO {self.table} AS total
        USING (SELECT *{many} FROM ({new}) AS unsorted ORDER BY {self.key}) AS new ON {same}
        WHEN MATCHED THEN UPDATE SET {changes}
        WHEN NOT MATCHED THEN INSERT ({self.key}, {COLUMNS}) VALUES ({values})
        """

    def _upsert(self, new: str, values: str, used: Sequence[str]) -> str:
        """ON CONFLICT looks into the index of the key, whatever the statistics say. MERGE takes a smaller index that leads to few
        rows by them, and may lead to all rows of a day."""
        changes = ", ".join(f"{measure} = total.{measure} + excluded.{measure}" for measure in used)
        return f"""
        INSERT INTO {self.table} AS total ({self.key}, {COLUMNS})
        SELECT {values} FROM ({new}) AS new ORDER BY {self.key}
        ON CONFLICT ({self.key}) DO UPDATE SET {changes}
        """

    @staticmethod
    def _gather(cursor: Any, new: str) -> None:
        """Fetch the query's rows from the nodes, which MERGE does not do for a table of the coordinator."""
        cursor.execute(f"DROP TABLE IF EXISTS {GATHERED}")
        cursor.execute(f"CREATE TEMPORARY TABLE {GATHERED} ON COMMIT DROP AS {new}")
        cursor.execute(f"ANALYZE {GATHERED}")


def _hourly(whose: str, key: str, only: str = "true") -> Rollup:
    return Rollup(f"metering_{whose}hourlyusage", key, key, only)


def _daily(whose: str, key: str, only: str = "true") -> Rollup:
    return Rollup(f"metering_{whose}dailyusage", key, key, only)


HOURLY: Final = _hourly("", "organization_id, hour, user_id, api_key_id, sku_id")
USER_HOURLY: Final = _hourly("user", "organization_id, user_id, hour, sku_id")
UNTRACKED_HOURLY: Final = _hourly("untracked", "organization_id, hour, sku_id", UNTRACKED_ONLY)
ORGANIZATION_HOURLY: Final = _hourly("organization", "organization_id, hour, sku_id")
DAILY: Final = Rollup(
    "metering_dailyusage",
    "organization_id, day, user_id, api_key_id, sku_id",
    f"organization_id, {DAY}, user_id, api_key_id, sku_id",
    has_more_indexes=True,
)
USER_DAILY: Final = _daily("user", "organization_id, user_id, day, sku_id")
UNTRACKED_DAILY: Final = _daily("untracked", "organization_id, day, sku_id", UNTRACKED_ONLY)
ORGANIZATION_DAILY: Final = _daily("organization", "organization_id, day, sku_id")
MONTHLY: Final = Rollup(
    "metering_monthlyusage",
    "organization_id, month, user_id, api_key_id, sku_id",
    f"organization_id, {MONTH}, user_id, api_key_id, sku_id",
)
# What has an attribution, by that and by the values of its parts, which are found in the dictionary, and all of them together.
ATTRIBUTED_ONLY: Final = "attribution_id <> 0"
ATTRIBUTED_HOURLY: Final = _hourly(
    "attributed", "organization_id, hour, user_id, api_key_id, attribution_id, sku_id", ATTRIBUTED_ONLY
)
ATTRIBUTED_DAILY: Final = Rollup(
    "metering_attributeddailyusage",
    "organization_id, day, user_id, api_key_id, attribution_id, sku_id",
    f"organization_id, {DAY}, user_id, api_key_id, attribution_id, sku_id",
    ATTRIBUTED_ONLY,
    has_more_indexes=True,
)
# One key has few combinations of values in a month, each with many SKUs and few usage types.
WITH_SKU: Final = "JOIN metering_sku AS sku ON sku.id = sku_id"
ATTRIBUTED_TOTALS: Final = Rollup(
    "metering_attributedmonthlytotal",
    "organization_id, month, attribution_id, user_id, api_key_id, usage_type",
    f"organization_id, {MONTH}, attribution_id, user_id, api_key_id, usage_type",
    ATTRIBUTED_ONLY,
)
WITH_PARTS: Final = f"""JOIN (
    SELECT attribution_id, attribute_id, value_id FROM {{parts}}
    UNION ALL SELECT attribution_id, attribute_id, {ALL} FROM {{parts}}
) AS part USING (attribution_id)"""
VALUE_HOURLY: Final = _hourly("value", "organization_id, attribute_id, hour, value_id, sku_id")
VALUE_DAILY: Final = Rollup(
    "metering_valuedailyusage",
    "organization_id, attribute_id, day, value_id, sku_id",
    f"organization_id, attribute_id, {DAY}, value_id, sku_id",
)
VALUE_MONTHLY: Final = Rollup(
    "metering_valuemonthlyusage",
    "organization_id, attribute_id, month, value_id, sku_id",
    f"organization_id, attribute_id, {MONTH}, value_id, sku_id",
)
# A value of one customer, too, has many SKUs in a month, and few usage types.
VALUE_TOTALS: Final = Rollup(
    "metering_valuemonthlytotal",
    "organization_id, attribute_id, month, value_id, usage_type",
    f"organization_id, attribute_id, {MONTH}, value_id, usage_type",
)
# The coarser grains, by what they are called in a report of the nightly proof.
OF_HOURS: Final = {"user": USER_HOURLY, "untracked": UNTRACKED_HOURLY, "organization": ORGANIZATION_HOURLY}
OF_DAYS: Final = {"user": USER_DAILY, "untracked": UNTRACKED_DAILY, "organization": ORGANIZATION_DAILY}
ALL_HOURLY: Final = (HOURLY, *OF_HOURS.values(), ATTRIBUTED_HOURLY, VALUE_HOURLY)
ALL_DAILY: Final = (DAILY, *OF_DAYS.values(), ATTRIBUTED_DAILY, VALUE_DAILY)
# Of a cluster: what lies on the nodes. The days of organizations, from which costs follow, are few and stay with the money.
DISTRIBUTED: Final = tuple(
    rollup.table
    for rollup in (*ALL_HOURLY, *ALL_DAILY, MONTHLY, ATTRIBUTED_TOTALS, VALUE_MONTHLY, VALUE_TOTALS)
    if rollup is not ORGANIZATION_DAILY
)
