"""The value between what changes the usage or the prices of days and what rates those days anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

_numbers: Final = count(1)


@dataclass(frozen=True)
class Touched:
    """Rows of `OrganizationDailyUsage` by their keys, of which there may be millions.

    They are in a temporary table of this value's own until the transaction ends: organization_id, day and sku_id, each
    row once and in this order, so that neighbours are looked up one after the other, with statistics.
    """

    table: str


def touch(cursor: Any, rows: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> Touched:
    """The distinct rows that a FROM item names, with conditions if need be. To be called inside a transaction."""
    touched = Touched(f"touched_rows_{next(_numbers)}")
    cursor.execute(
        f"CREATE TEMPORARY TABLE {touched.table} ON COMMIT DROP AS"
        f" SELECT DISTINCT organization_id, day, sku_id FROM {rows} ORDER BY 1, 2, 3",
        parameters,
    )
    cursor.execute(f"ANALYZE {touched.table}")
    return touched
