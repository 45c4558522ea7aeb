"""Which months of which organizations a final invoice covers."""

from datetime import date
from typing import Final

from django.db import connection

from accounts.periods import month_of
from billing.payer_history import PAYER, payer_join

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


def invoiced_since(day: date) -> frozenset[tuple[int, date]]:
    """(organization, first day of the UTC month) for the month of that day and later ones, whoever pays."""
    with connection.cursor() as cursor:
        cursor.execute(INVOICED_SQL, {"first": month_of(day).start})
        return frozenset(cursor.fetchall())
