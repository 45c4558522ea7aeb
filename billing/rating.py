"""Daily usage × price book → daily cost, in SQL. Cost is a pure function of both: it can be computed again at any time."""

from typing import Any, Final

from django.db import connection, transaction

from billing import pricebook
from billing.line_items import CHARGED_SQL, QUANTITIES_SQL
from metering import rollups

# The price of a line item on a day: in each scope the latest row that has begun; of the scopes that have a price then,
# the negotiated before the general, the most specific first, and the highest context band that the SKU reaches.
PRICE_SQL: Final = """
SELECT latest.id, latest.unit_price
FROM (
    SELECT DISTINCT ON (organization_id, usage_type, service_tier, batch, context_band) price.*
    FROM billing_price AS price
    WHERE price.model_id = sku.model_id
      AND price.line_item = item.line_item
      AND (price.organization_id = usage.organization_id OR price.organization_id IS NULL)
      AND (price.usage_type = sku.usage_type OR price.usage_type IS NULL)
      AND (price.service_tier = sku.service_tier OR price.service_tier IS NULL)
      AND (price.batch = sku.batch OR price.batch IS NULL)
      AND price.context_band <= sku.context_band
      AND price.effective_date <= usage.day
    ORDER BY organization_id, usage_type, service_tier, batch, context_band, effective_date DESC
) AS latest
WHERE latest.unit_price IS NOT NULL
ORDER BY
    latest.organization_id IS NULL, latest.usage_type IS NULL, latest.service_tier IS NULL, latest.batch IS NULL,
    latest.context_band DESC
LIMIT 1
"""
# Quantities of nothing cost nothing and make no row, unless a correction brought an existing row down to nothing.
COST_SQL: Final = f"""
SELECT
    usage.organization_id, usage.day, usage.sku_id, item.line_item, item.quantity,
    price.unit_price, item.quantity * price.unit_price AS amount, price.id AS price_id
FROM metering_organizationdailyusage AS usage
JOIN metering_sku AS sku ON sku.id = usage.sku_id
CROSS JOIN LATERAL ({QUANTITIES_SQL}) AS item (line_item, quantity)
LEFT JOIN LATERAL ({PRICE_SQL}) AS price ON true
WHERE (price.id IS NOT NULL OR (sku.usage_type, item.line_item) IN ({CHARGED_SQL}))
"""
HAS_COST: Final = """
(item.quantity <> 0 OR EXISTS (
    SELECT FROM billing_dailycost AS cost
    WHERE cost.organization_id = usage.organization_id AND cost.day = usage.day AND cost.sku_id = usage.sku_id
      AND cost.line_item = item.line_item
))
"""
UPSERT_SQL: Final = f"""
INSERT INTO billing_dailycost (organization_id, day, sku_id, line_item, quantity, unit_price, amount, price_id)
{COST_SQL} AND {HAS_COST}
  AND (usage.organization_id, usage.day, usage.sku_id) IN (SELECT organization_id, day, sku_id FROM organization_delta)
ORDER BY 1, 2, 3, 4
ON CONFLICT (organization_id, day, sku_id, line_item) DO UPDATE
SET quantity = excluded.quantity, unit_price = excluded.unit_price, amount = excluded.amount, price_id = excluded.price_id
"""


def roll_up_and_rate() -> int:
    """Roll up the next waiting batches and rate what they touched, in one transaction; returns the number of events.

    Safe to call at any time and from anywhere: while another process rolls up, it returns 0.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        if not rollups.lock(cursor, wait=False):
            return 0
        num_events = rollups.roll_up(cursor)
        if num_events:
            rate_touched(cursor)
    return num_events


def catch_up() -> int:
    """Roll up until nothing waits; returns the number of events."""
    total = 0
    while num_events := roll_up_and_rate():
        total += num_events
    return total


def rate_touched(cursor: Any) -> None:
    """Compute the cost of the rows that `organization_delta` names. Models that are new to the price book are priced first."""
    pricebook.price_new_models()
    cursor.execute(UPSERT_SQL)
