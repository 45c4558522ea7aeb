"""The rows of the FOCUS file that are of documents: so the rows of each invoice sum to it, and all rows to all that is charged.

A line of an invoice is its usage rows and, beside them, what makes them the line's amount: rounding to the cent, and what came
or was corrected after the invoice, which another document charges. The lines of that document, of voided invoices and of
credit notes are rows of their own. So for each key (organization, model, line item, usage month) all rows sum to its cost,
rounded once as soon as it is invoiced. Credit, tax and prepaid credit are rows of the payer.
"""

from typing import Final

from billing.money import to_cents_sql
from exports.columns import Format, line_sql
from exports.focus.columns import ENTRY_COLUMNS, item_name, month_end

# To be read with `owned`, `homes` and `listed` (exports/focus/usage.py). What the usage of each key costs now.
COSTS_SQL: Final = """
SELECT cost.organization_id, sku.model_id, cost.line_item, date_trunc('month', cost.day::timestamp)::date AS month,
    sum(cost.amount) AS amount
FROM owned
JOIN billing_dailycost AS cost ON cost.organization_id = owned.organization_id
    AND cost.day >= owned.first_month AND cost.day < owned.end_month
JOIN metering_sku AS sku ON sku.id = cost.sku_id
WHERE cost.amount IS NOT NULL AND cost.day >= %(first)s
GROUP BY 1, 2, 3, 4
"""
# What all final documents charge of each key.
CHARGED_SQL: Final = """
SELECT line.organization_id, line.model_id, line.line_item, line.usage_month AS month, sum(line.amount) AS amount
FROM owned
JOIN billing_invoiceline AS line ON line.organization_id = owned.organization_id
    AND line.usage_month >= owned.first_month AND line.usage_month < owned.end_month
JOIN billing_invoice AS invoice ON invoice.id = line.invoice_id AND invoice.state <> 'draft'
WHERE line.usage_month >= %(first)s
GROUP BY 1, 2, 3, 4
"""
DOCUMENTS_SQL: Final = """
SELECT id AS invoice_id, number, month, kind, credits, tax, tax_name, tax_rate, nullif(seller ->> 'name', '') AS issuer
FROM billing_invoice
WHERE payer_id = %(payer)s AND state <> 'draft' AND month >= %(first_day)s AND month < %(end_day)s
"""
# What is left of each key beside its usage rows, as far as its month is in the file.
BALANCES_SQL: Final = f"""
SELECT organization_id, model_id, line_item, month, home.number, home.detail_id, home.issuer,
    balance.amount, balance.is_home, balance.is_correction, balance.reason
FROM (SELECT * FROM costs FULL JOIN charged USING (organization_id, model_id, line_item, month)) AS key (
    organization_id, model_id, line_item, month, cost, charged
)
LEFT JOIN homes AS home USING (organization_id, model_id, line_item, month)
CROSS JOIN LATERAL (
    SELECT coalesce(cost, 0) AS cost, {to_cents_sql("coalesce(cost, 0)")} AS cents, coalesce(charged, 0) AS charged
) AS exact
CROSS JOIN LATERAL (VALUES
    (CASE WHEN home.number IS NOT NULL THEN exact.cents - exact.cost END, true, false, 'rounding to the cent'),
    (home.amount - exact.cents, true, false, 'came or changed after this invoice'),
    (CASE WHEN home.number IS NOT NULL THEN exact.cents - exact.charged END, false, true, 'changed since, not invoiced yet'),
    (CASE WHEN home.number IS NULL THEN - exact.charged END, false, false, 'charged by an invoice of another period')
) AS balance (amount, is_home, is_correction, reason)
WHERE month >= %(first_day)s AND month < %(end_day)s AND balance.amount <> 0
"""
OTHER_LINES_SQL: Final = """
SELECT line.organization_id, line.model_id, line.line_item, line.usage_month, line.amount, 'L' || line.id AS detail_id,
    document.number, document.issuer, document.month,
    document.kind = 'credit_note' OR line.usage_month < document.month AS corrects,
    CASE WHEN document.kind = 'credit_note' THEN 'taken back by a credit note'
        WHEN line.usage_month < document.month THEN 'of an earlier period, not invoiced then'
        ELSE 'of an invoice that was voided' END AS reason
FROM documents AS document
JOIN billing_invoiceline AS line ON line.invoice_id = document.invoice_id AND line.amount <> 0
WHERE NOT EXISTS (SELECT FROM homes WHERE homes.detail_id = 'L' || line.id)
"""
DISCOUNTS_SQL: Final = """
SELECT home.invoice_id, sum(listed.quantity * (listed.unit_price - listed.own_unit_price)) AS amount
FROM listed
JOIN owned ON owned.organization_id = listed.organization_id AND listed.day >= owned.first_month AND listed.day < owned.end_month
JOIN metering_sku AS sku ON sku.id = listed.sku_id
JOIN homes AS home ON home.organization_id = listed.organization_id AND home.model_id = sku.model_id
    AND home.line_item = listed.line_item AND home.month = date_trunc('month', listed.day::timestamp)::date
GROUP BY 1
"""
ENTRIES: Final = (
    "billing_month, charge_start, charge_end, category, is_correction, number, detail_id, issuer, organization_id, model_id,"
    " line_item, amount, effective_amount, list_amount, unit_price, description"
)
NO_KEY: Final = "NULL::bigint, NULL::integer, NULL::smallint"
# Credit of prepaid grants was bought before: its purchase has no effective cost, so neither has what it pays.
ENTRIES_SQL: Final = f"""
SELECT month, month, {month_end("month")}, 'Adjustment', is_correction, CASE WHEN is_home THEN number END,
    CASE WHEN is_home THEN detail_id END, issuer, organization_id, model_id, line_item,
    amount, amount, amount, NULL::numeric, reason
FROM balances
UNION ALL
SELECT month, usage_month, {month_end("usage_month")}, 'Adjustment', corrects, number, detail_id, issuer, organization_id,
    model_id, line_item, amount, amount, amount, NULL, reason
FROM other_lines
UNION ALL
SELECT document.month, document.month, {month_end("document.month")}, 'Credit', document.kind = 'credit_note',
    document.number, 'C' || applied.id, document.issuer, {NO_KEY}, - applied.amount,
    CASE WHEN granted.category = 'paid' THEN 0 ELSE - applied.amount END, - applied.amount, NULL, granted.name
FROM documents AS document
JOIN billing_creditapplication AS applied ON applied.invoice_id = document.invoice_id
JOIN billing_creditgrant AS granted ON granted.id = applied.grant_id
UNION ALL
SELECT document.month, document.month, {month_end("document.month")}, 'Tax', document.kind = 'credit_note',
    document.number, 'T', document.issuer, {NO_KEY}, document.tax,
    document.tax, document.tax + document.tax_rate * coalesce(discount.amount, 0), NULL, document.tax_name
FROM documents AS document
LEFT JOIN discounts AS discount USING (invoice_id)
WHERE document.tax <> 0
UNION ALL
SELECT date_trunc('month', bought.day::timestamp)::date, bought.day, bought.day + 1, 'Purchase', false,
    NULL, NULL, NULL, {NO_KEY}, granted.amount, 0, granted.amount, 1, 'Prepaid credit: ' || granted.name
FROM billing_creditgrant AS granted
CROSS JOIN LATERAL (SELECT (granted.effective_at AT TIME ZONE 'UTC')::date AS day) AS bought
WHERE granted.organization_id = %(payer)s AND granted.category = 'paid'
  AND bought.day >= %(first_day)s AND bought.day < %(end_day)s
"""
WITH_SQL: Final = f"""
documents AS MATERIALIZED ({DOCUMENTS_SQL}), costs AS ({COSTS_SQL}), charged AS ({CHARGED_SQL}), balances AS ({BALANCES_SQL}),
other_lines AS ({OTHER_LINES_SQL}), discounts AS ({DISCOUNTS_SQL}),
entries ({ENTRIES}) AS ({ENTRIES_SQL})
"""


def entries_sql(form: Format) -> str:
    """The SQL of the lines, by billing period and document; with `WITH_SQL` before it."""
    item = item_name("found.line_item")
    return f"""
        SELECT {line_sql(form, ENTRY_COLUMNS)} AS line
        FROM (
            SELECT found.*, {item} AS meter_of_line FROM entries AS found
        ) AS charge
        LEFT JOIN metering_model AS model ON model.id = charge.model_id
        LEFT JOIN accounts_organization AS organization ON organization.id = charge.organization_id
        CROSS JOIN LATERAL (
            SELECT charge.billing_month, charge.charge_start, charge.charge_end, charge.category, charge.is_correction,
                charge.number, charge.detail_id, charge.issuer, charge.amount, charge.effective_amount, charge.list_amount,
                charge.unit_price,
                CASE WHEN charge.unit_price IS NOT NULL THEN 'prepaid-credit' ELSE model.name || '/' || meter_of_line END AS sku,
                CASE WHEN charge.unit_price IS NOT NULL THEN 'prepaid credit' ELSE meter_of_line END AS meter,
                concat_ws(', ', model.name, meter_of_line || ' – ' || charge.description,
                    CASE WHEN model.id IS NULL THEN charge.description END) AS description
        ) AS entry
        ORDER BY entry.billing_month, entry.number, entry.category, charge.organization_id, entry.sku, entry.detail_id
    """
