"""Who pays for an organization in which UTC month: a dated history, asked by the month of the usage, whenever it comes.

An organization without a row has never had another payer: its parent, or itself.
"""

from datetime import date
from typing import Final

from django.db import models
from django.db.models import Q

from accounts.models import Organization

BEGINNING: Final = date.min
# What an organization of which nothing is dated is paid by; `organization` is its row.
PAYER: Final = "coalesce(payer.payer_id, organization.parent_id, organization.id)"
# The organizations and months, half-open, that one payer pays for; `owned.end_month` is never after the asked one.
OWNED_SQL: Final = """
SELECT paid.organization_id, greatest(paid.first_month, %(first)s) AS first_month, least(paid.end_month, %(end)s) AS end_month
FROM (
    SELECT since.organization_id, since.first_month, coalesce((
        SELECT min(later.first_month) FROM billing_payersince AS later
        WHERE later.organization_id = since.organization_id AND later.first_month > since.first_month
    ), 'infinity') AS end_month
    FROM billing_payersince AS since WHERE since.payer_id = %(payer)s
    UNION ALL
    SELECT organization.id, '-infinity'::date, 'infinity'::date
    FROM accounts_organization AS organization
    WHERE (organization.parent_id = %(payer)s OR organization.id = %(payer)s AND organization.parent_id IS NULL)
      AND NOT EXISTS (SELECT FROM billing_payersince AS since WHERE since.organization_id = organization.id)
) AS paid
"""


class PayerSince(models.Model):
    """`payer` pays for the organization's usage from the UTC month on that begins on `first_month`, until the next row.

    The first row of an organization is of BEGINNING, so that every month has a payer.
    """

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    first_month = models.DateField()
    payer = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "first_month"], name="payer_since_unique"),
            models.CheckConstraint(condition=Q(first_month__day=1), name="payer_since_first_day"),
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} from {self.first_month:%Y-%m}: {self.payer_id}"


def payer_join(organization_id: str, day: str) -> str:
    """SQL that joins `payer`: who is dated to pay for the organization on the day; nothing where nothing is dated."""
    return f"""
LEFT JOIN LATERAL (
    SELECT since.payer_id FROM billing_payersince AS since
    WHERE since.organization_id = {organization_id} AND since.first_month <= {day}
    ORDER BY since.first_month DESC LIMIT 1
) AS payer ON true
"""
