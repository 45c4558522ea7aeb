"""Proof of the last layer: what final documents charge is what the stored costs say, and every document adds up.

A key (organization, model, line item, usage month) of a payer whose invoice is final must be charged its rounded cost.
What came after that invoice was issued waits for the next one, and is no drift: late events, late prices, and what a
credit note took back. All sums are PostgreSQL's, one month at a time.
"""

from collections.abc import Iterator
from typing import Any, Final

from accounts.periods import Period
from billing.invoices import credit_proof
from billing.money import to_cents_sql
from billing.payer_history import PAYER, payer_join
from metering.rollups.proof import Drift
from metering.rollups.run import bounds_of

KEYS_SQL: Final = f"""
CREATE TEMPORARY TABLE billed_key ON COMMIT DROP AS
WITH cost AS (
    SELECT organization_id, model_id, line_item, {to_cents_sql("exact")} AS amount
    FROM (
        SELECT cost.organization_id, sku.model_id, cost.line_item, sum(cost.amount) AS exact
        FROM billing_dailycost AS cost
        JOIN metering_sku AS sku ON sku.id = cost.sku_id
        WHERE cost.day >= %(first_day)s AND cost.day < %(end_day)s AND cost.amount IS NOT NULL
        GROUP BY 1, 2, 3
    ) AS key
),
charged AS (
    SELECT line.organization_id, line.model_id, line.line_item, sum(line.amount) AS amount
    FROM billing_invoiceline AS line
    JOIN billing_invoice AS invoice ON invoice.id = line.invoice_id AND invoice.state <> 'draft'
    WHERE line.usage_month = %(first_day)s
    GROUP BY 1, 2, 3
),
closed AS (
    SELECT organization.id AS organization_id, max(invoice.issue_date) AS issue_date
    FROM accounts_organization AS organization
    {payer_join("organization.id", "%(first_day)s")}
    JOIN billing_invoice AS invoice ON invoice.payer_id = {PAYER} AND invoice.month >= %(first_day)s
        AND invoice.kind = 'invoice' AND invoice.state IN ('open', 'paid')
    GROUP BY 1
)
SELECT organization_id, model_id, line_item, closed.issue_date,
    CASE WHEN closed.issue_date IS NULL THEN 0 ELSE coalesce(cost.amount, 0) END
        <> coalesce(charged.amount, 0) AS is_different
FROM cost FULL JOIN charged USING (organization_id, model_id, line_item)
LEFT JOIN closed USING (organization_id)
WHERE closed.issue_date IS NOT NULL OR charged.amount IS NOT NULL
"""
WAITING_SQL: Final = """
WITH late AS MATERIALIZED (
    SELECT event.organization_id, sku.model_id, max(batch.rolled_up_at) AS at
    FROM metering_ingestbatch AS batch
    JOIN metering_usageevent AS event ON event.batch_id = batch.id
        AND event.occurred_at >= %(start)s AND event.occurred_at < %(end)s
    JOIN metering_sku AS sku ON sku.id = event.sku_id
    WHERE batch.rolled_up_at >= (SELECT min(issue_date) FROM billed_key WHERE is_different)
      AND batch.last_occurred_at >= %(start)s AND batch.first_occurred_at < %(end)s
    GROUP BY 1, 2
)
UPDATE billed_key AS key SET is_different = false
WHERE is_different AND (
    EXISTS (
        SELECT FROM late
        WHERE (late.organization_id, late.model_id) = (key.organization_id, key.model_id) AND late.at >= key.issue_date
    )
    OR EXISTS (
        SELECT FROM billing_costadjustment AS adjustment
        JOIN billing_pricechange AS change ON change.id = adjustment.price_change_id
        JOIN metering_sku AS sku ON sku.id = adjustment.sku_id
        WHERE (adjustment.organization_id, sku.model_id, adjustment.line_item)
              = (key.organization_id, key.model_id, key.line_item)
          AND adjustment.day >= %(first_day)s AND adjustment.day < %(end_day)s
          AND (change.finished_at IS NULL OR change.finished_at >= key.issue_date)
    )
    OR EXISTS (
        SELECT FROM billing_invoiceline AS line
        JOIN billing_invoice AS note ON note.id = line.invoice_id AND note.kind = 'credit_note'
        WHERE (line.organization_id, line.model_id, line.line_item, line.usage_month)
              = (key.organization_id, key.model_id, key.line_item, %(first_day)s)
          AND note.issue_date >= key.issue_date
    )
)
"""
COUNT_SQL: Final = "SELECT count(*), count(*) FILTER (WHERE is_different) FROM billed_key"
# A document whose lines, days, credit or tax are not what it says, that charges what another one is to pay, or a credit note
# that is not the whole of its invoice the other way round.
DOCUMENTS_SQL: Final = f"""
WITH document AS (
    SELECT invoice.*,
        (subtotal - credits) * tax_rate AS exact_tax,
        (SELECT coalesce(sum(amount), 0) FROM billing_invoiceline WHERE invoice_id = invoice.id) AS lines,
        (SELECT coalesce(sum(amount), 0) FROM billing_creditapplication WHERE invoice_id = invoice.id) AS applied
    FROM billing_invoice AS invoice WHERE month = %(first_day)s AND state <> 'draft'
),
part AS (
    SELECT line.invoice_id, line.organization_id, line.usage_month, line.amount
    FROM document JOIN billing_invoiceline AS line ON line.invoice_id = document.id
    UNION ALL
    SELECT billed.invoice_id, billed.organization_id, date_trunc('month', billed.day::timestamp)::date, -billed.amount
    FROM document JOIN billing_billedday AS billed ON billed.invoice_id = document.id
),
part_of_month AS (
    SELECT invoice_id, organization_id, usage_month, sum(amount) AS lines_less_days FROM part GROUP BY 1, 2, 3
),
wrong_part AS (
    SELECT DISTINCT document.id
    FROM part_of_month AS part
    JOIN document ON document.id = part.invoice_id
    JOIN accounts_organization AS organization ON organization.id = part.organization_id
    {payer_join("part.organization_id", "part.usage_month")}
    WHERE part.lines_less_days <> 0 OR document.payer_id <> {PAYER}
)
SELECT count(*), count(*) FILTER (WHERE
    document.lines <> document.subtotal OR document.applied <> document.credits
    OR document.tax <> {to_cents_sql("document.exact_tax")}
    OR (document.subtotal, document.credits, document.tax) <> (-corrected.subtotal, -corrected.credits, -corrected.tax)
    OR document.id IN (SELECT id FROM wrong_part)
)
FROM document LEFT JOIN billing_invoice AS corrected ON corrected.id = document.corrects_id
"""


def prove_month(cursor: Any, month: Period) -> Iterator[Drift]:
    """Compare the month's stored costs with what final documents charge for them, its documents with their parts, and the
    credit of their payers with what grants pay.

    Rows are keys, documents and grants. In a transaction of the caller's; ingest and closing may go on meanwhile.
    """
    cursor.execute("DROP TABLE IF EXISTS billed_key")
    cursor.execute(KEYS_SQL, bounds_of(month))
    cursor.execute(COUNT_SQL)
    num_keys, num_different = cursor.fetchone()
    if num_different:
        cursor.execute(WAITING_SQL, bounds_of(month))
        cursor.execute(COUNT_SQL)
        num_keys, num_different = cursor.fetchone()
    yield Drift(month, "cost = billed", num_keys, num_different)
    cursor.execute(DOCUMENTS_SQL, bounds_of(month))
    yield Drift(month, "billed = invoice", *cursor.fetchone())
    yield credit_proof.prove_month(month)
