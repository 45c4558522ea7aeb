"""Daily costs → the series of the cost chart."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import accumulate

from billing.queries import DailyAmount
from metering.figures import Series


def cost_series(
    rows: Sequence[DailyAmount],
    days: Sequence[date],
    looks: Mapping[int | None, tuple[str, str]],
    *,
    is_cumulative: bool,
) -> list[Series]:
    """One series per part over these days, each day alone or with all days of the month before it.

    `looks` has the name and colour of each part, in the order in which they are stacked.
    """
    amounts = {(row.part, row.day): row.amount for row in rows}
    series = []
    for part, (name, color) in looks.items():
        daily = [amounts.get((part, day), Decimal(0)) for day in days]
        series.append(Series(name, color, tuple(accumulate(daily) if is_cumulative else daily)))
    return series
