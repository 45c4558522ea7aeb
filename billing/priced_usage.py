"""Usage × unit prices, in SQL: what a row of usage has of a line item, and what it costs. Written here for all that asks.

Everywhere `usage` is the alias of rows with measures. Prices come as rows, one for each line item, or side by side: one row
with a column `price_1`, `price_2` … for each line item, so that joining it multiplies nothing.
"""

from collections.abc import Iterable
from typing import Final

from billing.line_items import QUANTITIES
from billing.models import LineItem

ALL: Final = tuple(QUANTITIES)


def quantity_of(price: str) -> str:
    """The quantity that a usage row has of the line item of the price row with this alias."""
    cases = " ".join(f"WHEN {line_item.value} THEN {quantity}" for line_item, quantity in QUANTITIES.items())
    return f"CASE {price}.line_item {cases} END"


def side_by_side(unit_price: str, line_items: Iterable[LineItem] = ALL) -> list[str]:
    """The columns that put price rows side by side; `unit_price` is the expression of a row's price."""
    return [f"max({unit_price}) FILTER (WHERE line_item = {item.value}) AS {_column(item)}" for item in line_items]


def amount(prices: str, line_items: Iterable[LineItem]) -> str:
    """What a usage row costs at the prices that stand side by side in `prices`; null if no quantity of the row has one."""
    found = {f"{prices}.{_column(item)}": QUANTITIES[item] for item in line_items}
    if not found:
        return "NULL::numeric"
    is_priced = " OR ".join(f"({price} IS NOT NULL AND {quantity} <> 0)" for price, quantity in found.items())
    total = " + ".join(
        f"CASE WHEN {price} IS NULL THEN 0 ELSE ({quantity}) * {price} END" for price, quantity in found.items()
    )
    return f"CASE WHEN {is_priced} THEN {total} END"


def sum_of_amounts(prices: str, line_items: Iterable[LineItem] = ALL) -> str:
    """What usage rows cost in all, in one pass. A sum for each line item, of the rows that have its price: adding zeros takes
    longer, and floats are no quicker."""
    return " + ".join(
        f"coalesce(sum(({QUANTITIES[item]}) * {prices}.{_column(item)}) FILTER (WHERE {prices}.{_column(item)} IS NOT NULL), 0)"
        for item in line_items
    )


def _column(line_item: LineItem) -> str:
    return f"price_{line_item.value}"
