"""Who pays for an organization: its parent or itself.

Whoever is the payer when a UTC month ends pays all of that month, its late usage and corrections too. That is written down
when the first payer changes after the month's end, or when the month is closed, whichever comes first.
"""

from datetime import datetime
from typing import Final

from django.db import connection, transaction

from accounts import audit
from accounts.audit import Actor
from accounts.models import Organization
from billing.models import PriceChange
from billing.price_changes import find_effect, keep_adjustments
from metering import rollups
from metering.periods import Period, month_of, previous_month

# The organizations that ever cost anything; and, before that month, all months with costs of which nothing is decided.
DECIDE_SQL: Final = """
INSERT INTO billing_payermonth (organization_id, month, payer_id)
SELECT organization.id, %(month)s, coalesce(organization.parent_id, organization.id)
FROM accounts_organization AS organization
WHERE EXISTS (SELECT FROM billing_dailycost AS cost WHERE cost.organization_id = organization.id)
UNION
SELECT cost.organization_id, cost.month, coalesce(organization.parent_id, organization.id)
FROM (
    SELECT DISTINCT organization_id, date_trunc('month', day::timestamp)::date AS month
    FROM billing_dailycost WHERE day < %(month)s
) AS cost
JOIN accounts_organization AS organization ON organization.id = cost.organization_id
ORDER BY 1, 2
ON CONFLICT DO NOTHING
"""


class PayerRefusedError(ValueError):
    """A payer that an organization cannot have; the message says why."""


def decide(month: Period) -> None:
    """Write down who pays for this month and those before it, wherever that is not decided yet."""
    with connection.cursor() as cursor:
        cursor.execute(DECIDE_SQL, {"month": month.start})


def change_payer(
    *, organization: Organization, parent: Organization | None, actor: Actor, now: datetime
) -> PriceChange:
    """From this UTC month on `parent` pays for the organization; None: it pays itself.

    The month is rated again where the new payer has negotiated prices. Raises PayerRefusedError: there is one level.
    """
    month = month_of(now.date())
    if parent is not None:
        _require_one_level(organization, parent)
    with transaction.atomic(), connection.cursor() as cursor:
        rollups.lock(cursor, wait=True)
        decide(previous_month(month))
        Organization.objects.filter(pk=organization.pk).update(parent=parent)
        find_effect(cursor, start=month.start, terms=None, organization=organization)
        change = PriceChange.objects.create(
            organization=organization,
            scope=f"{organization.name} is billed to {parent.name if parent else 'itself'}"[:200],
            effective_date=month.start,
            requested_by=actor.user,
        )
        keep_adjustments(cursor, change)
        audit.record(
            "organization.payer_changed",
            actor=actor,
            organization=organization,
            target_id=organization.public_id,
            target_name=organization.name,
            details={"payer": parent.public_id if parent else organization.public_id, "from": str(month.start)},
        )
    organization.parent = parent
    return change


def _require_one_level(organization: Organization, parent: Organization) -> None:
    if parent.pk == organization.pk:
        raise PayerRefusedError(f"{organization} cannot be its own parent; without a parent it pays itself.")
    if parent.parent_id is not None:
        raise PayerRefusedError(f"{parent} is billed to another organization and cannot pay for others.")
    if organization.children.exists():
        raise PayerRefusedError(f"{organization} pays for other organizations and cannot have a parent.")
