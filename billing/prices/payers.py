"""Who pays for an organization: its parent or itself.

Whoever is the payer when a UTC month ends pays all of that month, its late usage and corrections too, whenever they come.
Each change is dated by the month from which it holds (`billing.payer_history`).
"""

from collections.abc import Mapping
from datetime import date, datetime

from django.db import connection, transaction

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.changes import ForwardOnlyError
from accounts.models import Organization
from accounts.periods import Period, month_of
from billing.changes.kept import BudgetLook
from billing.models import PriceChange
from billing.payer_history import BEGINNING, PayerSince
from billing.prices import unrated
from billing.prices.invoiced_months import first_open_days
from billing.prices.rerating import find_effect, keep_adjustments
from metering.rollups import run


class PayerRefusedError(ValueError):
    """A payer that an organization cannot have; the message says why."""


class BilledMonthError(PayerRefusedError):
    """A payer from a month that is on final invoices. `first_open_date` is the first day of a month that may change."""

    def __init__(self, first_open_date: date) -> None:
        self.first_open_date = first_open_date
        super().__init__(f"Usage from before {first_open_date} is billed: who pays can change from then on.")


def change_payer(
    *, organization: Organization, parent: Organization | None, actor: Actor, now: datetime
) -> PriceChange:
    """From this UTC month on `parent` pays for the organization; None: it pays itself.

    The month is rated again where the new payer has negotiated prices. Raises PayerRefusedError: there is one level;
    BilledMonthError for a month that has a final invoice, of who paid or of who shall; and ForwardOnlyError for one before
    that of a later change.
    """
    month = month_of(now.date())
    with transaction.atomic(), connection.cursor() as cursor:
        _lock(organization, parent)
        run.lock(cursor, wait=True)
        unrated.lock_changes(cursor)
        _require_open(organization, parent, month)
        _require_last(organization, month)
        _date(organization, parent or organization, month)
        Organization.objects.filter(pk=organization.pk).update(parent=parent)
        find_effect(cursor, start=month.start, terms=None, organization=organization)
        change = PriceChange.objects.create(
            organization=organization,
            scope=f"{organization.name} is billed to {parent.name if parent else 'itself'}"[:200],
            effective_date=month.start,
            requested_by=actor.user,
        )
        keep_adjustments(cursor, change)
        BudgetLook.objects.create(organization_ids=[organization.pk])
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


def dated_payers(days: Mapping[int, date]) -> dict[int, int]:
    """Organization → who is dated to pay for its UTC month with that day, by ids; without those of which nothing is dated."""
    if not days:
        return {}
    rows = PayerSince.objects.filter(organization__in=days).order_by("first_month")
    found = rows.values_list("organization", "first_month", "payer")
    return {organization_id: payer_id for organization_id, first, payer_id in found if first <= days[organization_id]}


def _require_open(organization: Organization, parent: Organization | None, month: Period) -> None:
    """No invoice becomes final meanwhile: that waits for `unrated.lock_changes`."""
    first_open = max(first_open_days([one.pk for one in (organization, parent) if one]).values(), default=month.start)
    if month.start < first_open:
        raise BilledMonthError(first_open)


def _require_last(organization: Organization, month: Period) -> None:
    """What a later change has decided stays: the payer from then on is not the one of this change."""
    if PayerSince.objects.filter(organization=organization, first_month__gt=month.start).exists():
        raise ForwardOnlyError(
            f"Who pays changes forward only: {organization} has another payer from a later month on."
        )


def _date(organization: Organization, payer: Organization, month: Period) -> None:
    """From the month on it is `payer`; before the first change it was who it is now."""
    if not PayerSince.objects.filter(organization=organization).exists():
        before = Organization.objects.get(pk=organization.pk)
        PayerSince.objects.create(
            organization=organization, first_month=BEGINNING, payer_id=before.parent_id or organization.pk
        )
    PayerSince.objects.update_or_create(organization=organization, first_month=month.start, defaults={"payer": payer})


def _lock(organization: Organization, parent: Organization | None) -> None:
    """Both stay as they are found here until the transaction ends. Raises PayerRefusedError."""
    ids = {organization.pk} if parent is None else {organization.pk, parent.pk}
    rows = Organization.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk")
    found = {row.pk: row for row in rows}
    if parent is not None:
        _require_one_level(found[organization.pk], found[parent.pk])


def _require_one_level(organization: Organization, parent: Organization) -> None:
    if parent.pk == organization.pk:
        raise PayerRefusedError(f"{organization} cannot be its own parent; without a parent it pays itself.")
    if parent.parent_id is not None:
        raise PayerRefusedError(f"{parent} is billed to another organization and cannot pay for others.")
    if parent.ended_at is not None:
        raise PayerRefusedError(f"{parent} has ended and cannot pay for others.")
    if organization.children.exists():
        raise PayerRefusedError(f"{organization} pays for other organizations and cannot have a parent.")
