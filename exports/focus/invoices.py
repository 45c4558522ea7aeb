"""FOCUS 1.4's Invoice Detail and Billing Period files: what stands on a payer's final documents, and which months are closed.

A file has the months whose first day is in its range. `InvoiceDetailId` and `InvoiceId` are those of the cost and usage file.
"""

from typing import Final

from exports.columns import Column, Format, Kind, Statement, exact_cell, line_sql
from exports.focus.columns import item_name, moment, month_end
from exports.focus.scope import Scope

INSTANT: Final = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""
COMPLETE_THROUGH_COLUMN: Final = Column("x_CompleteThrough", "%(complete_through)s", Kind.MOMENT)
INVOICE_DETAIL_COLUMNS: Final = (
    Column("BilledCost", exact_cell("detail.amount", decimals=2), Kind.NUMBER),
    Column("BillingAccountId", "%(account_id)s"),
    Column("BillingCurrency", "'USD'"),
    Column("BillingPeriodEnd", moment(month_end("invoice.month")), Kind.MOMENT),
    Column("BillingPeriodStart", moment("invoice.month"), Kind.MOMENT),
    Column("ChargeCategory", "detail.category"),
    Column("InvoiceDetailCreated", INSTANT.format("invoice.created_at"), Kind.MOMENT),
    Column("InvoiceDetailDescription", "detail.description", Kind.TEXT),
    Column("InvoiceDetailGrain", "detail.grain::text", Kind.OBJECT),
    Column("InvoiceDetailId", "detail.id"),
    Column(
        "InvoiceDetailLastUpdated",
        INSTANT.format("greatest(invoice.created_at, invoice.paid_at, invoice.voided_at)"),
        Kind.MOMENT,
    ),
    Column("InvoiceId", "invoice.number"),
    Column("InvoiceIssueDate", moment("invoice.issue_date"), Kind.MOMENT),
    Column("InvoiceIssuerName", "coalesce(nullif(invoice.seller ->> 'name', ''), %(issuer)s)", Kind.TEXT),
    Column("InvoiceIssueStatus", "CASE WHEN invoice.state = 'void' THEN 'Voided' ELSE 'Issued' END"),
    Column("PaymentCurrency", "'USD'"),
    Column("PaymentCurrencyBilledCost", exact_cell("detail.amount", decimals=2), Kind.NUMBER),
    Column("PaymentDueDate", f"CASE WHEN invoice.kind = 'invoice' THEN {moment('invoice.due_date')} END", Kind.MOMENT),
    Column("PaymentTerms", "'Net ' || (invoice.due_date - invoice.issue_date)"),
    Column("ReferenceInvoiceId", "corrected.number"),
    Column("x_BillingAccountName", "%(account_name)s", Kind.TEXT),
    Column("x_DocumentKind", "CASE WHEN invoice.kind = 'invoice' THEN 'Invoice' ELSE 'Credit note' END"),
    Column("x_InvoiceDue", exact_cell("invoice.due", decimals=2), Kind.NUMBER),
    Column("x_IsPaid", "invoice.state = 'paid'"),
    Column("x_SubAccountName", "detail.organization_name", Kind.TEXT),
    Column("x_UsageMonthStart", moment("detail.usage_month"), Kind.MOMENT),
    COMPLETE_THROUGH_COLUMN,
)
DETAILS_SQL: Final = f"""
SELECT line.invoice_id, 1 AS place, line.id AS row_id, 'L' || line.id AS id, 'Usage' AS category, line.amount, line.usage_month,
    organization.name AS organization_name, model.name || ', ' || {item_name("line.line_item")} AS description,
    jsonb_build_object('SubAccountId', organization.public_id, 'SkuId', model.name || '/' || {item_name("line.line_item")},
        'x_UsageMonth', to_char(line.usage_month, 'YYYY-MM')) AS grain
FROM billing_invoiceline AS line
JOIN accounts_organization AS organization ON organization.id = line.organization_id
JOIN metering_model AS model ON model.id = line.model_id
UNION ALL
SELECT applied.invoice_id, 2, applied.id, 'C' || applied.id, 'Credit', - applied.amount, NULL, NULL, granted.name,
    jsonb_build_object('x_CreditGrant', granted.id)
FROM billing_creditapplication AS applied JOIN billing_creditgrant AS granted ON granted.id = applied.grant_id
UNION ALL
SELECT id, 3, id, 'T', 'Tax', tax, NULL, NULL, tax_name, jsonb_build_object('x_TaxRate', tax_rate)
FROM billing_invoice WHERE tax <> 0
"""
BILLING_PERIOD_COLUMNS: Final = (
    Column("BillingPeriodCreated", moment("period.month"), Kind.MOMENT),
    Column("BillingPeriodEnd", moment(month_end("period.month")), Kind.MOMENT),
    Column(
        "BillingPeriodLastUpdated",
        f"CASE WHEN period.is_closed THEN {INSTANT.format('closed.finalized_at')} ELSE %(complete_through)s END",
        Kind.MOMENT,
    ),
    Column("BillingPeriodStart", moment("period.month"), Kind.MOMENT),
    Column("BillingPeriodStatus", "CASE WHEN period.is_closed THEN 'Closed' ELSE 'Open' END"),
    Column("InvoiceIssuerName", "%(issuer)s", Kind.TEXT),
    COMPLETE_THROUGH_COLUMN,
)
# A month that has not begun is no billing period yet; one whose invoice is held is not closed.
PERIODS_SQL: Final = """
SELECT month.month::date, closed.finalized_at,
    closed.finalized_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM billing_invoice AS invoice
        WHERE invoice.payer_id = %(payer)s AND invoice.month = month.month::date AND invoice.state = 'draft'
    ) AS is_closed
FROM generate_series(%(first)s::date, %(end_day)s::date - 1, '1 month') AS month (month)
LEFT JOIN billing_monthclose AS closed ON closed.month = month.month::date
WHERE month.month::date >= %(first_day)s AND month.month <= %(complete_through)s::timestamptz AT TIME ZONE 'UTC'
"""


def invoice_detail_statement(scope: Scope, form: Format) -> Statement:
    """The SQL of a line for each line, credit and tax of each final document."""
    sql = f"""
        SELECT {line_sql(form, INVOICE_DETAIL_COLUMNS)} AS line
        FROM billing_invoice AS invoice
        JOIN ({DETAILS_SQL}) AS detail ON detail.invoice_id = invoice.id
        LEFT JOIN billing_invoice AS corrected ON corrected.id = invoice.corrects_id
        WHERE invoice.payer_id = %(payer)s AND invoice.state <> 'draft'
          AND invoice.month >= %(first_day)s AND invoice.month < %(end_day)s
        ORDER BY invoice.place, detail.place, detail.row_id
    """
    return sql, scope.parameters()


def billing_period_statement(scope: Scope, form: Format) -> Statement:
    """The SQL of a line for each month that has begun."""
    sql = f"""
        SELECT {line_sql(form, BILLING_PERIOD_COLUMNS)} AS line FROM ({PERIODS_SQL}) AS period
        LEFT JOIN billing_monthclose AS closed ON closed.month = period.month
        ORDER BY period.month
    """
    return sql, scope.parameters()
