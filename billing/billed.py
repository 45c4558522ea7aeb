"""Costs in the cents that are billed: by key for invoice lines, by UTC day for credit. One statement, one snapshot.

A day's cents of a key are the rounded cost of its usage month to that day, less those of the days before. So they sum to
the key's line, whatever the days are.
"""

from datetime import date
from decimal import Decimal
from typing import Final

from django.db import connection

from billing.models import Invoice
from billing.money import to_cents_sql
from metering.periods import Period

# Months of which it is decided that the payer pays for the organization.
DECIDED_SQL: Final = """
SELECT organization_id, month FROM billing_payermonth WHERE payer_id = %(payer)s AND month <= %(month)s
"""
# Those, and the months of which nothing is decided yet, as things are now.
EXPECTED_SQL: Final = """
SELECT organization.id AS organization_id, month.start::date AS month
FROM accounts_organization AS organization
CROSS JOIN generate_series(%(first)s::timestamp, %(month)s::timestamp, '1 month') AS month (start)
LEFT JOIN billing_payermonth AS decided
    ON decided.organization_id = organization.id AND decided.month = month.start::date
WHERE coalesce(decided.payer_id, organization.parent_id, organization.id) = %(payer)s
"""
RUNNING_SQL: Final = f"""
daily AS (
    SELECT cost.organization_id, sku.model_id, cost.line_item, owned.month, cost.day,
        sum(cost.quantity) AS quantity, sum(cost.amount) AS amount
    FROM owned
    JOIN billing_dailycost AS cost ON cost.organization_id = owned.organization_id
        AND cost.day >= owned.month AND cost.day < owned.month + interval '1 month'
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
LINES_SQL: Final = f"""
WITH owned AS ({DECIDED_SQL}), {RUNNING_SQL},
billed AS (
    SELECT organization_id, model_id, line_item, month, sum(quantity) AS quantity, sum(cents) AS amount
    FROM running GROUP BY 1, 2, 3, 4
),
charged AS (
    SELECT line.organization_id, line.model_id, line.line_item, line.usage_month AS month,
        sum(line.quantity) AS quantity, sum(line.amount) AS amount
    FROM owned
    JOIN billing_invoiceline AS line
        ON line.organization_id = owned.organization_id AND line.usage_month = owned.month
    JOIN billing_invoice AS invoice ON invoice.id = line.invoice_id AND invoice.state <> 'draft'
    GROUP BY 1, 2, 3, 4
),
change AS (
    SELECT organization_id, model_id, line_item, month,
        coalesce(billed.quantity, 0) - coalesce(charged.quantity, 0) AS quantity,
        coalesce(billed.amount, 0) - coalesce(charged.amount, 0) AS amount
    FROM billed FULL JOIN charged USING (organization_id, model_id, line_item, month)
),
written AS (
    INSERT INTO billing_invoiceline
        (invoice_id, organization_id, model_id, line_item, usage_month, quantity, amount)
    SELECT %(invoice)s, organization_id, model_id, line_item, month, quantity, amount
    FROM change WHERE quantity <> 0 OR amount <> 0
    ORDER BY 2, 3, 4, 5
)
SELECT day, sum(cents) FROM running GROUP BY day
"""
DAYS_SQL: Final = f"WITH owned AS ({EXPECTED_SQL}), {RUNNING_SQL} SELECT day, sum(cents) FROM running GROUP BY day"


def write_lines(invoice: Invoice, month: Period) -> dict[date, Decimal]:
    """Write the lines of a draft: all that the payer's usage to the end of the month costs and no final document charges.

    Returns the billed cents of each UTC day to that end, as dollars.
    """
    return _days(LINES_SQL, {"invoice": invoice.pk, "payer": invoice.payer_id, "month": month.start})


def billed_days(payer_id: int, first: Period, last: Period) -> dict[date, Decimal]:
    """What the payer's usage of each UTC day costs in billed cents, from one month to another, both included."""
    return _days(DAYS_SQL, {"payer": payer_id, "first": first.start, "month": last.start})


def _days(sql: str, parameters: dict[str, int | date]) -> dict[date, Decimal]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return dict(cursor.fetchall())
