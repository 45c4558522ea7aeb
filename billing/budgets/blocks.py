"""Whom a spent hard budget refuses the API: what gateways are told (`POST /v1/keys/verify`).

A process asks the database at most once a second for each organization which hard budgets are spent; who has none costs one
look at an index. All other work is done for those that are spent.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, assert_never

from accounts.clock import database_now
from accounts.models import Organization
from accounts.periods import Period, month_of
from billing.alerts import Budget, BudgetKind, Scope
from billing.budgets import key_attributions
from billing.budgets.spending import spent_on
from billing.budgets.status import BudgetStatus
from billing.budgets.targets import split_value, targets_of
from billing.display import dollars

REMEMBERED_SECONDS: Final = 1.0
MAX_REMEMBERED: Final = 100_000


@dataclass(frozen=True, slots=True)
class SpentBudget:
    """A hard budget that is used up. `word` and `sentence` are its target's."""

    organization_id: int
    scope: Scope
    word: str
    sentence: str
    amount: Decimal
    month: Period


@dataclass(frozen=True)
class Use:
    """What a key is to be used for: where that counts, whose key it is, and what the gateway says of the request.

    `project` is a public id. A project or values that are not said are the key's own of this moment.
    """

    organization: Organization
    api_key_id: int
    user_id: int
    model: str | None = None
    project: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Block:
    """Why a use is refused: the kind of the budget that is spent, and a sentence."""

    kind: str
    message: str


_remembered: dict[int, tuple[float, tuple[SpentBudget, ...]]] = {}
"""By organization: when it was looked up, and its own budgets that are spent."""


def block_of(use: Use) -> Block | None:
    """The hard budget, of the organization or its parent, that covers the use and is spent; None if it may go on."""
    for spent in _spent_budgets(use.organization):
        if _covers(spent, use):
            return Block(spent.scope.kind.label, _message(spent, use.organization))
    return None


def forget_of(organization_id: int) -> None:
    """Drop what this process remembers of the organization's budgets, because they were changed."""
    _remembered.pop(organization_id, None)


def forget() -> None:
    """Drop this process's memory (for tests)."""
    _remembered.clear()
    key_attributions.forget()


def _covers(spent: SpentBudget, use: Use) -> bool:
    match spent.scope.kind:
        case BudgetKind.ORGANIZATION:
            return True
        case BudgetKind.API_KEY:
            return spent.scope.target_id == use.api_key_id
        case BudgetKind.USER:
            return spent.scope.target_id == use.user_id
        case BudgetKind.MODEL:
            return spent.word == use.model
        case BudgetKind.PROJECT:
            return spent.word == key_attributions.project_of(use.organization, use.api_key_id, named=use.project)
        case BudgetKind.ATTRIBUTE:
            name, value = split_value(spent.scope.value)
            said = key_attributions.value_of(use.organization, use.api_key_id, name, said=use.attributes)
            return value == said
    assert_never(spent.scope.kind)


def _message(spent: SpentBudget, organization: Organization) -> str:
    whose = "the organization's" if spent.organization_id == organization.pk else "the paying organization's"
    about = f" for {spent.sentence}" if spent.sentence else ""
    return (
        f"{whose.capitalize()} budget of {dollars(spent.amount)}{about} for {spent.month.start:%B %Y} is used up."
        f" It resets on {spent.month.end} at 00:00 UTC."
    )


def _spent_budgets(organization: Organization) -> Iterable[SpentBudget]:
    """The organization's own first."""
    now = time.monotonic()
    asked = [found for found in (organization.pk, organization.parent_id) if found is not None]
    known = {found: _remembered.get(found) for found in asked}
    stale = [found for found, memory in known.items() if memory is None or now - memory[0] >= REMEMBERED_SECONDS]
    if stale:
        if len(_remembered) > MAX_REMEMBERED:
            _remembered.clear()
        fresh = _find_spent(stale)
        for found in stale:
            known[found] = _remembered[found] = (now, fresh.get(found, ()))
    return [spent for memory in known.values() if memory is not None for spent in memory[1]]


def _find_spent(organization_ids: Iterable[int]) -> dict[int, tuple[SpentBudget, ...]]:
    """The hard budgets of these organizations that are spent, the widest kind first. One query where there are none."""
    budgets = list(Budget.objects.filter(organization_id__in=organization_ids, is_hard=True).order_by("kind", "pk"))
    if not budgets:
        return {}
    month = month_of(database_now().date())
    amounts = spent_on(budgets, month)
    spent = [budget for budget in budgets if BudgetStatus(amounts[budget.pk], budget.amount).is_spent]
    targets = targets_of(budget.scope for budget in spent)
    found: dict[int, tuple[SpentBudget, ...]] = {}
    for budget in spent:
        target = targets[budget.scope]
        row = SpentBudget(budget.organization_id, budget.scope, target.word, target.sentence, budget.amount, month)
        found[budget.organization_id] = (*found.get(budget.organization_id, ()), row)
    return found
