"""Costs in the cents that are billed: by key for invoice lines, by UTC day for credit. One statement, one snapshot.

A day's cents of a key are the rounded cost of its usage month to that day, less those of the days before. So they sum to
the key's line, whatever the days are.
"""

from datetime import date
from decimal import Decimal
from typing import Final

from django.db import connection

from accounts.periods import Period
from billing.models import Invoice
from billing.money import to_cents_sql
from billing.payer_history import BEGINNING, OWNED_SQL

RUNNING_SQL: Final = f"""
daily AS (
    SELECT cost.organization_id, sku.model_id, cost.line_item,
        date_trunc('month', cost.day::timestamp)::date AS month, cost.day,
        sum(cost.quantity) AS quantity, sum(cost.amount) AS amount
    FROM owned
    JOIN billing_dailycost AS cost ON cost.organization_id = owned.organization_id
        AND cost.day >= owned.first_month AND cost.day < owned.end_month
    JOIN metering_sku AS sku ON sku.id = cost.sku_id
    WHERE cost.amount IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5
),
to_date AS (
    SELECT *, sum(amount) OVER (PARTITION BY organization_id, model_id, line_item, month ORDER BY day) AS amount_to_date
    FROM daily
),
running AS MATERIALIZED (
    SELECT *, {to_cents_sql("amount_to_date")} - {to_cents_sql("(amount_to_date - amount)")} AS cents FROM to_date
)
"""
# What documents charge is looked up by key (OFFSET): the close of a month writes thousands of them, of which statistics know
# nothing yet, and to read them all for each payer takes the longer the more payers there are.
LINES_SQL: Final = f"""
WITH owned AS ({OWNED_SQL}), {RUNNING_SQL},
billed AS (
    SELECT organization_id, model_id, line_item, month, sum(quantity) AS quantity, sum(cents) AS amount
    FROM running GROUP BY 1, 2, 3, 4
),
charged AS (
    SELECT line.organization_id, line.model_id, line.line_item, line.usage_month AS month,
        sum(line.quantity) AS quantity, sum(line.amount) AS amount
    FROM owned
    CROSS JOIN LATERAL (
        SELECT * FROM billing_invoiceline AS stored
        WHERE stored.organization_id = owned.organization_id
          AND stored.usage_month >= owned.first_month AND stored.usage_month < owned.end_month
        OFFSET 0
    ) AS line
    JOIN billing_invoice AS invoice ON invoice.id = line.invoice_id AND invoice.state <> 'draft'
    GROUP BY 1, 2, 3, 4
),
change AS (
    SELECT organization_id, model_id, line_item, month,
        coalesce(billed.quantity, 0) - coalesce(charged.quantity, 0) AS quantity,
        coalesce(billed.amount, 0) - coalesce(charged.amount, 0) AS amount
    FROM billed FULL JOIN charged USING (organization_id, model_id, line_item, month)
),
day_charged AS (
    SELECT day.organization_id, day.day, sum(day.amount) AS amount
    FROM owned
    CROSS JOIN LATERAL (
        SELECT * FROM billing_billedday AS stored
        WHERE stored.organization_id = owned.organization_id
          AND stored.day >= owned.first_month AND stored.day < owned.end_month
        OFFSET 0
    ) AS day
    JOIN billing_invoice AS invoice ON invoice.id = day.invoice_id AND invoice.state <> 'draft'
    GROUP BY 1, 2
),
day_billed AS (SELECT organization_id, day, sum(cents) AS amount FROM running GROUP BY 1, 2),
day_change AS (
    SELECT organization_id, day, coalesce(day_billed.amount, 0) - coalesce(day_charged.amount, 0) AS amount
    FROM day_billed FULL JOIN day_charged USING (organization_id, day)
),
written_days AS (
    INSERT INTO billing_billedday (invoice_id, organization_id, day, amount)
    SELECT %(invoice)s, organization_id, day, amount FROM day_change WHERE amount <> 0 ORDER BY 2, 3
)
INSERT INTO billing_invoiceline (invoice_id, organization_id, model_id, line_item, usage_month, quantity, amount)
SELECT %(invoice)s, organization_id, model_id, line_item, month, quantity, amount
FROM change WHERE quantity <> 0 OR amount <> 0
ORDER BY 2, 3, 4, 5
"""
DAYS_SQL: Final = f"WITH owned AS ({OWNED_SQL}), {RUNNING_SQL} SELECT day, sum(cents) FROM running GROUP BY day"
CHARGED_DAYS_SQL: Final = """
SELECT day.day, sum(day.amount)
FROM billing_invoice AS invoice
CROSS JOIN LATERAL (SELECT day, amount FROM billing_billedday AS stored WHERE stored.invoice_id = invoice.id OFFSET 0) AS day
WHERE invoice.payer_id = %(payer)s
  AND (invoice.place <= coalesce(%(last_place)s::integer, invoice.place) OR invoice.id = %(draft)s::bigint)
GROUP BY 1
"""


def write_lines(invoice: Invoice, month: Period) -> None:
    """Write the lines of a draft, and the same by day: all that the payer's usage to the end of the month costs and no final
    document charges."""
    with connection.cursor() as cursor:
        cursor.execute(
            LINES_SQL, {"invoice": invoice.pk, "payer": invoice.payer_id, "first": BEGINNING, "end": month.end}
        )


def charged_days(payer_id: int, *, draft: Invoice | None = None, last_place: int | None = None) -> dict[date, Decimal]:
    """What the payer's final documents charge of the usage of each UTC day, with a draft's own; or their first ones alone."""
    return _days(CHARGED_DAYS_SQL, {"payer": payer_id, "draft": draft.pk if draft else None, "last_place": last_place})


def billed_days(payer_id: int, first: Period, last: Period) -> dict[date, Decimal]:
    """What the payer's usage of each UTC day costs in billed cents, from one month to another, both included."""
    return _days(DAYS_SQL, {"payer": payer_id, "first": first.start, "end": last.end})


def _days(sql: str, parameters: dict[str, int | date | None]) -> dict[date, Decimal]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return dict(cursor.fetchall())
