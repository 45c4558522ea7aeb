"""Costs per bar → the series of the cost chart."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import accumulate

from billing.cost.queries import SlotAmount
from metering.pages.axis import Slot
from metering.pages.figures import Series


def cost_series(
    rows: Sequence[SlotAmount],
    slots: Sequence[Slot],
    looks: Mapping[int | None, tuple[str, str, str]],
    *,
    is_cumulative: bool,
) -> list[Series]:
    """One series per part over these bars, each bar alone or with all before it.

    `looks` has the name, colour and address of each part, in the order in which they are stacked.
    """
    amounts = {(row.part, row.slot): row.amount for row in rows}
    series = []
    for part, (name, color, address) in looks.items():
        single = [amounts.get((part, slot), Decimal(0)) for slot in slots]
        series.append(Series(name, color, tuple(accumulate(single) if is_cumulative else single), address))
    return series
