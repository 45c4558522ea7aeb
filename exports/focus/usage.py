"""The usage rows of the FOCUS file: one per UTC day × SKU × line item × user × key and what it was for, that has a price.

They are the usage as it is now, each once. What invoices say of it is in `exports.focus.entries`.
"""

from typing import Final

from billing.payer_history import OWNED_SQL
from billing.priced_usage import quantity_of
from billing.prices.list_prices import list_prices_sql
from exports.columns import Format, Source, cells_sql, line_sql
from exports.focus.columns import USAGE_COLUMNS, price_size
from exports.names import PURPOSES
from metering.usage.queries import UsageQuery
from metering.usage.sources import by_attribution, days_by_key

# The line of a payer's invoice that usage of its own month is on, as long as the invoice is not voided.
HOMES_SQL: Final = """
SELECT line.organization_id, line.usage_month AS month, line.model_id, line.line_item, line.amount,
    invoice.id AS invoice_id, invoice.number, 'L' || line.id AS detail_id, nullif(invoice.seller ->> 'name', '') AS issuer
FROM billing_invoice AS invoice
JOIN billing_invoiceline AS line ON line.invoice_id = invoice.id AND line.usage_month = invoice.month
WHERE invoice.payer_id = %(payer)s AND invoice.kind = 'invoice' AND invoice.state IN ('open', 'paid')
  AND invoice.month >= %(first)s AND invoice.month < %(end)s
"""
LISTED_SQL: Final = list_prices_sql(
    "cost.organization_id IN (SELECT organization_id FROM owned) AND cost.day >= %(first)s AND cost.day < %(end)s"
)
WITH_SQL: Final = f"""
owned AS MATERIALIZED ({OWNED_SQL}), homes AS MATERIALIZED ({HOMES_SQL}), listed AS MATERIALIZED ({LISTED_SQL})
"""
DAYS: Final = """
SELECT day, date_trunc('month', day::timestamp)::date AS month
FROM (SELECT generate_series(%(first_day)s::date, %(end_day)s::date - 1, '1 day')::date AS day) AS day
"""
# What a day's usage is charged at: a row for each organization, SKU and line item.
OFFERS: Final = f"""
SELECT cost.organization_id, cost.sku_id, cost.line_item, cost.unit_price,
    coalesce(listed.unit_price, cost.unit_price) AS list_unit_price, {price_size("cost.line_item")} AS price_size, {{cells}}
FROM billing_dailycost AS cost
JOIN owned ON owned.organization_id = cost.organization_id AND days.day >= owned.first_month AND days.day < owned.end_month
JOIN accounts_organization AS organization ON organization.id = cost.organization_id
JOIN metering_sku AS sku ON sku.id = cost.sku_id
JOIN metering_model AS model ON model.id = sku.model_id
LEFT JOIN homes AS home ON home.organization_id = cost.organization_id AND home.month = days.month
    AND home.model_id = sku.model_id AND home.line_item = cost.line_item
LEFT JOIN listed ON listed.organization_id = cost.organization_id AND listed.day = days.day
    AND listed.sku_id = cost.sku_id AND listed.line_item = cost.line_item
LEFT JOIN billing_price AS price ON price.id = cost.price_id
WHERE cost.organization_id = ANY(%(organization_ids)s) AND cost.day = days.day AND cost.unit_price IS NOT NULL
"""
JOINS: Final = """
LEFT JOIN people ON people.id = usage.user_id AND usage.organization_id = ANY(%(seen_ids)s)
LEFT JOIN keys ON keys.id = usage.api_key_id AND usage.organization_id = ANY(%(seen_ids)s)
LEFT JOIN purposes ON purposes.organization_id = usage.organization_id AND purposes.id = usage.attribution_id
    AND usage.organization_id = ANY(%(seen_ids)s)
"""


def usage_sql(query: UsageQuery, form: Format) -> str:
    """The SQL of the lines, day after day; with `WITH_SQL` before it."""
    usage = by_attribution(query, "usage.day = days.day")
    offers = OFFERS.format(cells=cells_sql(form, USAGE_COLUMNS, Source.OFFER))
    return f"""
        SELECT lines.line
        FROM days CROSS JOIN LATERAL (
            SELECT {line_sql(form, USAGE_COLUMNS)} AS line
            FROM {usage.rows} AS usage
            JOIN ({offers}) AS offers
                ON offers.organization_id = usage.organization_id AND offers.sku_id = usage.sku_id
            CROSS JOIN LATERAL (SELECT {quantity_of("offers")} AS quantity) AS sums
            {JOINS}
            WHERE {usage.conditions} AND sums.quantity <> 0
            ORDER BY usage.organization_id, usage.user_id, usage.api_key_id, usage.sku_id, offers.line_item,
                usage.attribution_id
        ) AS lines
    """


def sources_sql(form: Format) -> str:
    """The WITH part of the cells that many rows share."""
    used = f"""SELECT {{column}} FROM {days_by_key()}
        WHERE organization_id = ANY(%(seen_ids)s) AND day >= %(first_day)s AND day < %(end_day)s"""
    tables = {
        Source.DAY: DAYS,
        Source.PERSON: _cells(
            form, Source.PERSON, f"id FROM accounts_user WHERE id IN ({used.format(column='user_id')})"
        ),
        Source.KEY: _cells(
            form, Source.KEY, f"id FROM apikeys_apikey WHERE id IN ({used.format(column='api_key_id')})"
        ),
        Source.PURPOSE: _cells(form, Source.PURPOSE, f"organization_id, id FROM ({PURPOSES}) AS purpose"),
    }
    return ", ".join(f"{source} AS MATERIALIZED ({sql})" for source, sql in tables.items())


def _cells(form: Format, source: Source, rest: str) -> str:
    return f"SELECT {cells_sql(form, USAGE_COLUMNS, source)}, {rest}"
