"""Whom a spent hard budget refuses the API: what gateways are told (`POST /v1/keys/verify`).

A process asks the database at most once a second for each organization which hard budgets are spent; who has none costs one
look at an index. All other work is done for those that are spent.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, assert_never

from accounts.clock import database_now
from accounts.models import Organization, Project
from accounts.periods import Period, month_of
from apikeys.routing import NO_PURPOSE
from billing.alerts import Budget, BudgetKind, Scope
from billing.budgets.spending import spent_on
from billing.budgets.status import BudgetStatus
from billing.budgets.targets import split_value, targets_of
from billing.display import dollars

REMEMBERED_SECONDS: Final = 1.0
MAX_REMEMBERED: Final = 100_000


Purpose = tuple[int, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class SpentBudget:
    """A hard budget that is used up. `word` and `sentence` are its target's; `project` is 0 for the default one."""

    organization_id: int
    scope: Scope
    word: str
    sentence: str
    amount: Decimal
    month: Period
    project: int


@dataclass(frozen=True)
class Use:
    """What a key is to be used for: where that counts, whose key it is, and the model that is asked for, if that is known.

    `purpose` is asked for where a budget is about it: the project (0 is the default one) and the values by attribute's name.
    """

    organization: Organization
    api_key_id: int
    user_id: int
    model: str | None = None
    purpose: Callable[[], Purpose] = lambda: NO_PURPOSE


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
            # Every organization's default one is 0 here: the project of another one, also of the parent, is never meant.
            return spent.organization_id == use.organization.pk and spent.project == use.purpose()[0]
        case BudgetKind.ATTRIBUTE:
            name, value = split_value(spent.scope.value)
            return use.purpose()[1].get(name) == value
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
    defaults = _default_projects(budget.target_id for budget in spent if budget.kind == BudgetKind.PROJECT)
    found: dict[int, tuple[SpentBudget, ...]] = {}
    for budget in spent:
        target = targets[budget.scope]
        row = SpentBudget(
            organization_id=budget.organization_id,
            scope=budget.scope,
            word=target.word,
            sentence=target.sentence,
            amount=budget.amount,
            month=month,
            project=0 if budget.target_id in defaults else budget.target_id,
        )
        found[budget.organization_id] = (*found.get(budget.organization_id, ()), row)
    return found


def _default_projects(project_ids: Iterable[int]) -> set[int]:
    """Which of these projects are their organization's default one."""
    ids = list(project_ids)
    return set(Project.objects.filter(pk__in=ids, is_default=True).values_list("pk", flat=True)) if ids else set()
