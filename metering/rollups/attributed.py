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
    WITH_PARTS,
)

# Two attributes of one attribution are no two users of it: the join comes after the keys and users are added up.
BY_ATTRIBUTION_SQL: Final = """(
    SELECT organization_id, hour, attribution_id, sku_id, {sums} FROM attributed_delta
    WHERE attribution_id <> 0 GROUP BY 1, 2, 3, 4
) AS by_attribution"""


def add(cursor: Any, used: Sequence[str], sums: str) -> None:
    """Add `attributed_delta` to the tables by attribution and by value; `used` are the measures that are in it, `sums` their
    sums as columns."""
    ATTRIBUTED_HOURLY.add(cursor, ATTRIBUTED_HOURLY.sums_of("attributed_delta", sums), used)
    ATTRIBUTED_DAILY.add(cursor, ATTRIBUTED_DAILY.sums_of("attributed_delta", sums), used)
    finer = f"{BY_ATTRIBUTION_SQL.format(sums=sums)} {WITH_PARTS}"
    for delta, rollup in (("value_hourly_delta", VALUE_HOURLY), ("value_daily_delta", VALUE_DAILY)):
        cursor.execute(f"CREATE TEMPORARY TABLE {delta} ON COMMIT DROP AS {rollup.sums_of(finer, sums)}")
        rollup.add(cursor, f"SELECT * FROM {delta}", used)
        finer = delta
    VALUE_MONTHLY.add(cursor, VALUE_MONTHLY.sums_of(finer, sums), used)
    cursor.execute("DROP TABLE value_hourly_delta, value_daily_delta")
