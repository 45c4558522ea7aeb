"""The statements behind `billing.cost.leaders`: what the parts of a month cost at most. As `billing.cost.sql` otherwise."""

from collections.abc import Sequence
from typing import Final

from billing.cost.sql import PRICE_OF_DAY
from billing.line_items import QUANTITIES
from billing.models import LineItem
from metering.attribution_models import OTHER
from metering.measures import MEASURES
from metering.usage import sources
from metering.usage.groupings import NONE
from metering.usage.queries import UsageQuery

Price = tuple[int, LineItem]
"""A usage type, and one of the line items that something of it has a price for."""
BOUNDED: Final = 1_000
"""How many of the parts with the highest bounds are told."""


def highest_prices(query: UsageQuery) -> str:
    """usage type, line item, highest unit price, whether any usage is charged for nothing at all; this alone in the last row."""
    return f"""
        SELECT sku.usage_type, usage.line_item, max(usage.unit_price), false
        FROM billing_dailycost AS usage {sources.SKU_JOIN}
        WHERE {sources.IN_DAYS} AND {query.filters("usage", by_user=False, by_key=False)} GROUP BY 1, 2
        UNION ALL
        SELECT NULL, NULL, NULL, EXISTS (
            SELECT FROM metering_organizationdailyusage AS usage {sources.SKU_JOIN}
            WHERE {sources.IN_DAYS} AND {query.filters("usage", by_user=False, by_key=False)}
                AND NOT EXISTS (SELECT FROM billing_dailycost AS price WHERE {PRICE_OF_DAY})
        )
    """


def bounds(query: UsageQuery, prices: Sequence[Price]) -> str:
    """part, bound, number of all parts: the BOUNDED highest, and those that are no values. The highest price of each of `prices`
    is the parameter `highest_`, with its place."""
    quantities = [QUANTITIES[line_item] for _, line_item in prices]
    measures = [measure for measure in MEASURES if any(f"usage.{measure}" in of for of in quantities)]
    parts = sources.totals_of(query, measures)
    terms = [
        f"greatest(sum(({QUANTITIES[line_item]})::float8) FILTER (WHERE sku.usage_type = {usage_type}), 0)"
        f" * %(highest_{place})s::float8"
        for place, (usage_type, line_item) in enumerate(prices)
    ]
    return f"""
        WITH bounds AS MATERIALIZED (
            SELECT {parts.part} AS part, {" + ".join(terms)} AS bound {parts.from_where} GROUP BY 1
        )
        (SELECT part, bound, (SELECT count(*) FROM bounds) FROM bounds ORDER BY bound DESC, part LIMIT {BOUNDED})
        UNION ALL SELECT part, bound, NULL FROM bounds WHERE part IN ({NONE}, {OTHER})
    """
