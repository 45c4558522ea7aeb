"""Credit grants: given, voided, and what is left of them at any moment. The pool of a payer pays its children's usage too."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.models import Organization
from accounts.periods import month_of, next_month, one_day
from billing.invoices import balance
from billing.invoices.billed import billed_days
from billing.invoices.credits import ZERO, Grant, pay, used_by
from billing.models import CreditGrant, Invoice
from billing.money import CENT


class GrantRefusedError(ValueError):
    """A grant that cannot be given or voided; the message says why."""


@dataclass(frozen=True)
class Balance:
    """A grant at the end of a UTC day: what it had paid, and what it could still pay."""

    grant: CreditGrant
    used: Decimal
    remaining: Decimal


@dataclass(frozen=True, kw_only=True)
class GrantTerms:
    """What a grant says."""

    name: str
    amount: Decimal
    category: str
    effective_at: datetime
    expires_at: datetime | None = None
    priority: int = 50


def give(organization: Organization, terms: GrantTerms, *, actor: Actor) -> CreditGrant:
    """A new grant, with an audit entry.

    Raises GrantRefusedError for an organization that another one pays for, an amount that is no whole number of cents, an
    end before the start, and a start in a month whose invoice is final: what it charges stays as it is.
    """
    _require_sense(organization, terms)
    with transaction.atomic():
        balance.lock(organization.pk)
        _require_open(organization, terms.effective_at)
        grant = CreditGrant.objects.create(organization=organization, **terms.__dict__)
        _record("credit_grant.created", grant, actor)
    return grant


def void(grant: CreditGrant, *, actor: Actor, now: datetime) -> None:
    """From `now` on the grant pays nothing; what it has paid, it has paid. Voiding it again changes nothing."""
    with transaction.atomic():
        found = CreditGrant.objects.select_for_update().get(pk=grant.pk)
        if found.voided_at is None:
            CreditGrant.objects.filter(pk=grant.pk).update(voided_at=now)
            _record("credit_grant.voided", found, actor)
    grant.refresh_from_db()


def balances(payer: Organization, day: date) -> list[Balance]:
    """The payer's grants as they stood at the end of a UTC day, in the order of their start; by today's costs and grants."""
    end = one_day(day).end_at
    grants = list(CreditGrant.objects.filter(organization=payer, effective_at__lt=end).order_by("effective_at", "id"))
    if not grants:
        return []
    costs = billed_days(payer.pk, month_of(grants[0].effective_at.date()), month_of(day))
    days = {found: cents for found, cents in costs.items() if found <= day}
    used = used_by(pay(days, [pure(grant) for grant in grants]))
    return [_balance(grant, used.get(grant.pk, ZERO), end) for grant in grants]


def pure(grant: CreditGrant) -> Grant:
    """The grant as `billing.invoices.credits` reads it."""
    return Grant(
        id=grant.pk,
        amount=grant.amount,
        effective_at=grant.effective_at,
        expires_at=grant.expires_at,
        voided_at=grant.voided_at,
        priority=grant.priority,
    )


def expiring_soon(grants: Iterable[CreditGrant], now: datetime, *, days: int = 30) -> list[CreditGrant]:
    """Those that end within so many days."""
    soon = now + timedelta(days=days)
    return [
        grant for grant in grants if grant.voided_at is None and grant.expires_at and now < grant.expires_at <= soon
    ]


def _balance(grant: CreditGrant, used: Decimal, end: datetime) -> Balance:
    is_over = pure(grant).ends_at <= end
    return Balance(grant, used, ZERO if is_over else grant.amount - used)


def _require_sense(organization: Organization, terms: GrantTerms) -> None:
    if organization.parent_id is not None:
        raise GrantRefusedError(f"{organization} is billed to another organization. Grant the credit to that one.")
    if not terms.amount.is_finite() or terms.amount <= 0 or terms.amount % CENT:
        raise GrantRefusedError("A grant must be more than zero, in whole cents.")
    if terms.expires_at is not None and terms.expires_at <= terms.effective_at:
        raise GrantRefusedError("A grant must expire after it starts.")


def _require_open(organization: Organization, effective_at: datetime) -> None:
    final = Invoice.objects.filter(
        payer=organization, kind=Invoice.Kind.INVOICE, month__gte=effective_at.replace(day=1)
    )
    last = final.filter(state__in=[Invoice.State.OPEN, Invoice.State.PAID]).order_by("-month").first()
    if last is not None:
        start = next_month(month_of(last.month)).start
        raise GrantRefusedError(
            f"Invoice {last.number} is final. Let the grant start on {start} or later, or void the invoice first."
        )


def _record(event: str, grant: CreditGrant, actor: Actor) -> None:
    audit.record(
        event,
        actor=actor,
        organization=grant.organization,
        target_id=str(grant.pk),
        target_name=grant.name,
        details={
            "amount": str(grant.amount),
            "category": grant.category,
            "effective_at": grant.effective_at.isoformat(),
            "expires_at": grant.expires_at.isoformat() if grant.expires_at else None,
        },
    )
