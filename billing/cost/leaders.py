"""The dearest parts of a query's group, from as few rows as can tell them.

What a value of an attribute costs in a month takes a row for each of its SKUs. What it costs at most follows from its row for
each usage type: each quantity at the highest price that anything of that type had. Where that is less than what others cost,
nothing more is read of it. (Corrections that bring a quantity below zero loosen the bound. Ranks go by it, sums never do.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from billing.cost import bounds_sql
from billing.cost import sql as cost_sql
from billing.models import LineItem
from billing.priced_usage import ALL
from metering.usage import sources
from metering.usage.queries import UsageQuery, fetch

FIRST: Final = 100
"""Of so many with the highest bounds the costs are read at once; then of those whose bounds are not below these costs."""
MARGIN: Final = 1.000001
"""Bounds are floats."""
ZERO: Final = Decimal(0)
Cost = tuple[int, Decimal]
"""A part, and what it costs."""


@dataclass(frozen=True)
class Leading:
    """The dearest parts in order; how many there are in all; and where they are values of an attribute, how many are, and which
    parts are none."""

    parts: list[int]
    num_parts: int
    num_values: int
    beside: list[int]


def charged_for(query: UsageQuery) -> tuple[LineItem, ...]:
    """The line items that anything of the query's organizations and days was charged for; all, where nothing was."""
    if not query.group.has_many_parts:
        return ALL
    found = sorted(LineItem(item) for (item,) in fetch(cost_sql.CHARGED, query.parameters()))
    return tuple(found) or ALL


def all_parts(query: UsageQuery) -> list[int]:
    """All parts of the query's group that have a cost or are unpriced, the dearest first."""
    return _in_order(fetch(cost_sql.ranking(query), query.parameters()))


def leading_parts(query: UsageQuery, most: int, charged: Sequence[LineItem] = ALL) -> Leading:
    """The dearest parts, `most` at most, of what is `charged_for`."""
    found = _by_bounds(query, most, charged) if sources.has_totals(query) else None
    if found is not None:
        return found
    parts = _in_order(fetch(cost_sql.ranking(query, charged), query.parameters()))
    beside = [part for part in parts if query.group.attribute and not query.group.is_value(part)]
    return _leading(query, parts[:most], len(parts), beside)


def _leading(query: UsageQuery, parts: list[int], num_parts: int, beside: list[int]) -> Leading:
    num_values = num_parts - len(beside) if query.group.attribute else 0
    return Leading(parts, num_parts, num_values, beside if num_values else [])


def _by_bounds(query: UsageQuery, most: int, charged: Sequence[LineItem]) -> Leading | None:
    """None where bounds do not tell, or not enough of them."""
    *priced, (_, _, _, is_free) = fetch(bounds_sql.highest_prices(query), query.parameters())
    prices = {(kind, LineItem(item)): price for kind, item, price, _ in priced if price}
    if is_free or not prices:
        return None
    highest = {f"highest_{place}": price for place, price in enumerate(prices.values())}
    rows = fetch(bounds_sql.bounds(query, tuple(prices)), query.parameters() | highest)
    bounds = [(part, bound) for part, bound, number in rows if number is not None]
    num_parts = max((number for _, _, number in rows if number is not None), default=0)
    beside = [part for part, _, number in rows if number is None and query.group.attribute]
    first = [part for part, _ in bounds[:FIRST]]
    costs = _costs(query, first, charged)
    least = _least(costs, most)
    others = [part for part, bound in bounds[FIRST:] if bound * MARGIN >= least]
    if len(bounds) < num_parts and bounds[-1][1] * MARGIN >= least:
        return None
    costs += _costs(query, others, charged) if others else []
    return _leading(query, _in_order(costs)[:most], num_parts, beside)


def _costs(query: UsageQuery, parts: Sequence[int], charged: Sequence[LineItem]) -> list[Cost]:
    return fetch(cost_sql.ranking(query, charged, only="wanted"), query.parameters() | {"wanted": list(parts)})


def _least(costs: Sequence[Cost], most: int) -> Decimal:
    """What a part must cost at least to be among the dearest."""
    dearest = sorted((amount for _, amount in costs), reverse=True)[:most]
    return dearest[-1] if len(dearest) == most else ZERO


def _in_order(costs: Sequence[Cost]) -> list[int]:
    return [part for part, _ in sorted(costs, key=lambda cost: (-cost[1], cost[0]))]
