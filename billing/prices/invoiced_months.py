"""Which months of which organizations a final invoice covers."""

from collections.abc import Collection
from datetime import date
from typing import Final

from django.db import connection

from accounts.periods import month_of, next_month
from billing.payer_history import BEGINNING, PAYER, payer_join

INVOICED_SQL: Final = f"""
SELECT organization.id, months.month
FROM (
    SELECT DISTINCT month FROM billing_invoice
    WHERE kind = 'invoice' AND state IN ('open', 'paid') AND month >= %(first)s
) AS months
CROSS JOIN accounts_organization AS organization
{payer_join("organization.id", "months.month")}
JOIN billing_invoice AS invoice ON invoice.payer_id = {PAYER} AND invoice.month = months.month
    AND invoice.kind = 'invoice' AND invoice.state IN ('open', 'paid')
"""
LAST_SQL: Final = f"""
SELECT organization_id, max(month) FROM ({INVOICED_SQL} WHERE organization.id = ANY (%(organizations)s))
    AS invoiced (organization_id, month)
GROUP BY organization_id
"""


def first_open_days(organization_ids: Collection[int]) -> dict[int, date]:
    """Of each of these organizations that has a final invoice: the first day after all that are invoiced, whoever pays."""
    if not organization_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(LAST_SQL, {"first": BEGINNING, "organizations": list(organization_ids)})
        return {organization_id: next_month(month_of(month)).start for organization_id, month in cursor.fetchall()}


def invoiced_since(day: date) -> frozenset[tuple[int, date]]:
    """(organization, first day of the UTC month) for the month of that day and later ones, whoever pays."""
    with connection.cursor() as cursor:
        cursor.execute(INVOICED_SQL, {"first": month_of(day).start})
        return frozenset(cursor.fetchall())
