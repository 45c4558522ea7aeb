"""Budgets of UTC months, set and removed by owners: of an organization, or of a part of it.

A budget is about the cost of the organization's own usage and, for a parent, its children's, before credit. What became of
it is told by `billing.budgets.checks`, and who is refused by `billing.budgets.blocks`.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.models import Organization
from accounts.pages.words import counted
from billing.alerts import WHOLE_ORGANIZATION, Budget, Scope
from billing.budgets import blocks
from billing.budgets.checks import BUDGET, TASK, check
from billing.budgets.targets import target_of
from billing.money import CENT
from metering import isolation

MAX_THRESHOLD: Final = 1000


class BudgetRefusedError(ValueError):
    """A budget that cannot be set; the message says why."""


def set_budget(  # noqa: PLR0913 - one keyword for each part of a budget
    organization: Organization,
    *,
    amount: Decimal,
    thresholds: Sequence[int],
    is_hard: bool,
    actor: Actor,
    scope: Scope = WHOLE_ORGANIZATION,
) -> Budget:
    """The organization's budget of this scope from now on, with an audit entry; what is crossed already is told at once.

    There is one of a scope at most: one that was set before is changed. Raises BudgetRefusedError.
    """
    _require_sense(amount, thresholds)
    terms = {"amount": amount, "thresholds": sorted(set(thresholds)), "is_hard": is_hard}
    with transaction.atomic():
        Organization.objects.select_for_update(of=("self",), no_key=True).get(pk=organization.pk)
        budget = _of(organization, scope).first() or _new(organization, scope)
        for name, value in terms.items():
            setattr(budget, name, value)
        budget.save()
        _record("budget.set", budget, actor, **{**terms, "amount": str(amount)})
    blocks.forget_of(organization.pk)
    isolation.forget(TASK, f"{BUDGET}{budget.pk}")
    check([organization.pk])
    return budget


def remove_budget(organization: Organization, *, actor: Actor, scope: Scope = WHOLE_ORGANIZATION) -> bool:
    """The organization has no budget of this scope from now on; returns whether it had one.

    Alerts of this month stay, so that a new budget does not repeat them.
    """
    with transaction.atomic():
        budget = _of(organization, scope).select_for_update(of=("self",)).first()
        if budget is not None:
            _record("budget.removed", budget, actor)
            budget.delete()
    blocks.forget_of(organization.pk)
    return budget is not None


def _require_sense(amount: Decimal, thresholds: Sequence[int]) -> None:
    if not amount.is_finite() or amount <= 0 or amount % CENT:
        raise BudgetRefusedError("A budget must be more than zero, in whole cents.")
    if any(not 0 < threshold <= MAX_THRESHOLD for threshold in thresholds):
        raise BudgetRefusedError(f"Thresholds are percentages from 1 to {MAX_THRESHOLD}.")


def _of(organization: Organization, scope: Scope) -> QuerySet[Budget]:
    return Budget.objects.filter(
        organization=organization, kind=scope.kind, target_id=scope.target_id, value=scope.value
    )


def _new(organization: Organization, scope: Scope) -> Budget:
    """Not saved. Raises BudgetRefusedError if there are too many already; the organization is locked."""
    if Budget.objects.filter(organization=organization).count() >= settings.BUDGETS_MAX:
        raise BudgetRefusedError(f"An organization can have at most {counted(settings.BUDGETS_MAX, 'budget')}.")
    return Budget(organization=organization, kind=scope.kind, target_id=scope.target_id, value=scope.value)


def _record(event: str, budget: Budget, actor: Actor, **details: object) -> None:
    """The entry names what the budget is about, for all but the whole organization."""
    organization = budget.organization
    if budget.scope != WHOLE_ORGANIZATION:
        details = {"scope": target_of(budget.scope).as_data(), **details}
    audit.record(
        event,
        actor=actor,
        organization=organization,
        target_id=organization.public_id,
        target_name=organization.name,
        details=details,
    )
