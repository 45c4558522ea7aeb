"""What negotiated prices are beside the prices that hold for everybody."""

from typing import Final

from billing.prices.rating import PRICE_SQL

# To be completed with what stands behind WHERE, about `cost`. The choice of a price, for usage of nobody: the prices of
# organizations are then out of the question, and everything else is chosen as it is rated.
LIST_PRICES_SQL: Final = f"""
SELECT cost.organization_id, cost.day, cost.sku_id, cost.line_item, cost.quantity, cost.unit_price AS own_unit_price,
    price.unit_price
FROM billing_dailycost AS cost
JOIN billing_price AS own ON own.id = cost.price_id AND own.organization_id IS NOT NULL
JOIN metering_sku AS sku ON sku.id = cost.sku_id
CROSS JOIN LATERAL (
    SELECT NULL::bigint AS organization_id, NULL::bigint AS payer_id, cost.day, cost.line_item
) AS item
CROSS JOIN LATERAL ({PRICE_SQL}) AS price
WHERE {{conditions}}
"""


def list_prices_sql(conditions: str) -> str:
    """The query for rows of daily cost at a negotiated price, with the `unit_price` that everybody else pays; without those
    of which nobody else has a price. `conditions` are about `cost`."""
    return LIST_PRICES_SQL.format(conditions=conditions)
