"""The sums by what usage was for: by whole combinations, and by each value of each attribute and by all of them together.

All follow from the one table of sums that a run has made of its events. What has no attribution is in none of them, and costs
nothing here: it is what the coarser tables have more than the sums by value.
"""

from dataclasses import replace
from typing import Any, Final

from metering.attribution_models import ALL
from metering.cluster.state import fence, parts_table
from metering.rollups import deltas
from metering.rollups.sums import Sums
from metering.rollups.tables import (
    ATTRIBUTED_DAILY,
    ATTRIBUTED_HOURLY,
    ATTRIBUTED_TOTALS,
    DAY,
    VALUE_DAILY,
    VALUE_HOURLY,
    VALUE_MONTHLY,
    VALUE_TOTALS,
    WITH_SKU,
)

# Parts are looked up by their key (OFFSET): statistics know nothing of new ones.
WITH_PARTS: Final = """
attributed_delta CROSS JOIN LATERAL (
    SELECT attribute_id, value_id FROM {parts} AS part
    WHERE part.attribution_id = attributed_delta.attribution_id {fence}
) AS part
"""

WITH_DAY: Final = f"(SELECT *, {DAY} FROM attributed_delta) AS with_day {WITH_SKU}"

# The values of an hour, all together as one more.
ALL_VALUES: Final = replace(VALUE_HOURLY, finer_key=VALUE_HOURLY.key.replace("value_id", f"{ALL}"))


def add(cursor: Any, sums: Sums) -> None:
    """Add `attributed_delta` to the tables by attribution and by value."""
    one_hour, one_day = sums.is_of_one_hour, sums.is_of_one_day
    ATTRIBUTED_HOURLY.add(cursor, sums.of(ATTRIBUTED_HOURLY, "attributed_delta", is_one_to_one=True), sums.used)
    ATTRIBUTED_DAILY.add(cursor, sums.of(ATTRIBUTED_DAILY, "attributed_delta", is_one_to_one=one_hour), sums.used)
    # MERGE may not join what is not on the nodes: totals, of usage types, have tables of their own.
    deltas.make(cursor, "attributed_total_delta", sums.used, sums.of(ATTRIBUTED_TOTALS, WITH_DAY))
    ATTRIBUTED_TOTALS.add(cursor, "SELECT * FROM attributed_total_delta", sums.used)
    deltas.drop(cursor, "attributed_total_delta")
    with_parts = WITH_PARTS.format(parts=parts_table(), fence=fence())
    deltas.make(cursor, "value_hourly_delta", sums.used, sums.of(VALUE_HOURLY, with_parts))
    columns = f"{VALUE_HOURLY.key}, {', '.join(sums.used)}"
    cursor.execute(f"INSERT INTO value_hourly_delta ({columns}) {sums.of(ALL_VALUES, 'value_hourly_delta')}")
    VALUE_HOURLY.add(cursor, "SELECT * FROM value_hourly_delta", sums.used)
    of_days = sums.of(VALUE_DAILY, "value_hourly_delta", is_one_to_one=one_hour)
    deltas.make(cursor, "value_daily_delta", sums.used, of_days)
    VALUE_DAILY.add(cursor, "SELECT * FROM value_daily_delta", sums.used)
    VALUE_MONTHLY.add(cursor, sums.of(VALUE_MONTHLY, "value_daily_delta", is_one_to_one=one_day), sums.used)
    totals = sums.of(VALUE_TOTALS, f"value_daily_delta {WITH_SKU}")
    deltas.make(cursor, "value_total_delta", sums.used, totals)
    VALUE_TOTALS.add(cursor, "SELECT * FROM value_total_delta", sums.used)
    deltas.drop(cursor, "value_hourly_delta", "value_daily_delta", "value_total_delta")
