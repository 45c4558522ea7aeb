"""The Budgets page of an organization: each budget with what this month has cost of it, ready to be drawn."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.conf import settings

from accounts.models import Organization
from accounts.periods import Period, month_of
from billing.alerts import Budget
from billing.budgets.forecast import WINDOW_DAYS, forecast
from billing.budgets.forecast_text import ForecastText, forecast_text
from billing.budgets.spending import daily_costs
from billing.budgets.status import BudgetStatus
from billing.budgets.targets import Target, targets_of
from billing.display import dollars


@dataclass(frozen=True)
class BudgetMonth:
    """This month against a budget."""

    id: int
    target: Target
    status: BudgetStatus
    spent: str
    amount: str
    is_hard: bool
    thresholds: str
    forecast: ForecastText | None
    is_expected_over: bool


@dataclass(frozen=True)
class BudgetsReport:
    """All budgets of an organization, that of the whole one first. `is_full`: there may be no more of them."""

    rows: tuple[BudgetMonth, ...]
    is_full: bool
    most: int


def budgets_report(organization: Organization, now: datetime) -> BudgetsReport:
    """At most seven queries, however many budgets there are."""
    rows = budget_months(Budget.objects.filter(organization=organization).order_by("kind", "pk"), now)
    return BudgetsReport(
        rows=tuple(sorted(rows, key=lambda row: (row.target.scope.kind, row.target.name.lower()))),
        is_full=len(rows) >= settings.BUDGETS_MAX,
        most=settings.BUDGETS_MAX,
    )


def budget_months(found: Iterable[Budget], now: datetime) -> list[BudgetMonth]:
    """Each of these budgets with the month so far."""
    budgets = list(found)
    month = month_of(now.date())
    costs = daily_costs(budgets, Period(month.start - timedelta(days=WINDOW_DAYS), month.end))
    targets = targets_of(budget.scope for budget in budgets)
    return [_month(budget, targets[budget.scope], costs[budget.pk], now) for budget in budgets]


def initial_of(budget: Budget) -> dict[str, Decimal | str | bool]:
    """The budget as its form shows it."""
    return {"amount": budget.amount, "thresholds": _listed(budget.thresholds), "is_hard": budget.is_hard}


def _month(budget: Budget, target: Target, costs: Mapping[date, Decimal], now: datetime) -> BudgetMonth:
    month = month_of(now.date())
    spent = sum((amount for day, amount in costs.items() if day in month), start=Decimal(0))
    expected = forecast(costs, month, now.date())
    status = BudgetStatus(spent, budget.amount)
    return BudgetMonth(
        id=budget.pk,
        target=target,
        status=status,
        spent=dollars(spent),
        amount=dollars(budget.amount),
        is_hard=budget.is_hard,
        thresholds=_listed(budget.thresholds, "%"),
        forecast=forecast_text(expected, spent) if expected else None,
        is_expected_over=expected is not None and status.is_expected_over(expected.expected),
    )


def _listed(thresholds: Sequence[int], unit: str = "") -> str:
    return ", ".join(f"{threshold}{unit}" for threshold in thresholds)
