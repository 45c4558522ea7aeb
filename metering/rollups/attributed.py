"""The sums by what usage was for: by whole combinations, and by each value of each attribute.

All follow from the one table of sums that a run has made of its events. What has no attribution is in none of them, and costs
nothing here: it is what the coarser tables have more than the sums by value.
"""

from collections.abc import Sequence
from typing import Any, Final

from metering.rollups.tables import (
    ATTRIBUTED_DAILY,
    ATTRIBUTED_HOURLY,
    VALUE_DAILY,
    VALUE_HOURLY,
    VALUE_MONTHLY,
)

# Parts are looked up by their key (OFFSET): statistics know nothing of new ones.
WITH_PARTS: Final = """
attributed_delta CROSS JOIN LATERAL (
    SELECT attribute_id, value_id FROM metering_attributionpart AS part
    WHERE part.attribution_id = attributed_delta.attribution_id OFFSET 0
) AS part
"""


def add(cursor: Any, used: Sequence[str], sums: str) -> None:
    """Add `attributed_delta` to the tables by attribution and by value; `used` are the measures that are in it, `sums` their
    sums as columns."""
    ATTRIBUTED_HOURLY.add(cursor, ATTRIBUTED_HOURLY.sums_of("attributed_delta", sums), used)
    ATTRIBUTED_DAILY.add(cursor, ATTRIBUTED_DAILY.sums_of("attributed_delta", sums), used)
    finer = WITH_PARTS
    for delta, rollup in (("value_hourly_delta", VALUE_HOURLY), ("value_daily_delta", VALUE_DAILY)):
        cursor.execute(f"CREATE TEMPORARY TABLE {delta} ON COMMIT DROP AS {rollup.sums_of(finer, sums)}")
        rollup.add(cursor, f"SELECT * FROM {delta}", used)
        finer = delta
    VALUE_MONTHLY.add(cursor, VALUE_MONTHLY.sums_of(finer, sums), used)
    cursor.execute("DROP TABLE value_hourly_delta, value_daily_delta")
