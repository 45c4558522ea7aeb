"""Alerts of budgets: one at each threshold, and one if the month is expected to end above the budget, each once a month.

Any number of processes may check at once: the alert's row is the claim. Budgets of which everything was told this month
are passed over before anything is added up.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from accounts.clock import database_now
from accounts.periods import Period, month_of
from billing.alerts import Budget, BudgetAlert, Scope
from billing.budgets.forecast import WINDOW_DAYS, forecast
from billing.budgets.spending import daily_costs, spent_on
from billing.budgets.status import WHOLE, BudgetStatus
from billing.budgets.targets import target_of
from billing.notices import outbox
from metering import isolation

TASK: Final = "check_budgets"
BUDGET: Final = "budget "
"""… followed by the budget's id: what a failure names (`metering.isolation`)."""
AT_ONCE: Final = 1_000
"""So many budgets are added up by one statement."""
# The organizations are one parameter: there may be thousands, and to write each of them into a query takes longer than to ask it.
CONCERNED_SQL: Final = "SELECT unnest(ARRAY[id, parent_id]) FROM accounts_organization WHERE id = ANY (%s)"
# Nothing is claimed for a budget that was changed or removed after it was added up: who changes one checks it again.
CLAIM_SQL: Final = """
INSERT INTO billing_budgetalert
    (organization_id, kind, target_id, value, month, threshold, is_forecast, spent, budget_amount)
SELECT organization_id, kind, target_id, value, %(month)s, threshold, %(is_forecast)s, %(spent)s, amount
FROM billing_budget, unnest(%(thresholds)s::int[]) AS threshold
WHERE id = %(budget)s AND amount = %(amount)s
ORDER BY threshold
ON CONFLICT DO NOTHING
RETURNING id
"""


@dataclass(frozen=True)
class Finding:
    """What is to be told of a budget, if nobody else has told it."""

    budget: Budget
    thresholds: Sequence[int]
    spent: Decimal
    is_forecast: bool = False


def check(organization_ids: Collection[int] | None = None, *, now: datetime | None = None) -> int:
    """Write an alert for each threshold that is crossed and has none this month, and what is to be sent about it.

    Of these organizations and their parents, or of all. Returns the number of alerts.
    """
    month = month_of((now or database_now()).date())
    budgets = Budget.objects.all() if organization_ids is None else _concerned(organization_ids)
    return _tell_all(TASK, _crossed(budgets, month), month)


def check_forecasts(now: datetime) -> int:
    """Tell, once a month, of each budget that the month is expected to exceed; returns how many were told."""
    month = month_of(now.date())
    return _tell_all("check_forecasts", _expected_over(month, now), month)


def _concerned(organization_ids: Collection[int]) -> QuerySet[Budget]:
    concerned = RawSQL(CONCERNED_SQL, [[*organization_ids]])  # noqa: S611 - a constant, and numbers as its parameter
    return Budget.objects.filter(organization_id__in=concerned)


def _crossed(budgets: QuerySet[Budget], month: Period) -> Iterator[Finding]:
    for some in _some_at_a_time(budgets):
        told = _told(some, month, is_forecast=False)
        open_thresholds = {
            budget: [threshold for threshold in budget.thresholds if (_key(budget), threshold) not in told]
            for budget in some
        }
        waiting = [budget for budget, thresholds in open_thresholds.items() if thresholds]
        spent_on_each = spent_on(waiting, month)
        for budget in waiting:
            spent = spent_on_each[budget.pk]
            status = BudgetStatus(spent, budget.amount)
            if reached := [threshold for threshold in open_thresholds[budget] if status.has_reached(threshold)]:
                yield Finding(budget, reached, spent)


def _expected_over(month: Period, now: datetime) -> Iterator[Finding]:
    window = Period(month.start - timedelta(days=WINDOW_DAYS), month.end)
    for some in _some_at_a_time(Budget.objects.all()):
        told = _told(some, month, is_forecast=True)
        waiting = {budget.pk: budget for budget in some if (_key(budget), WHOLE) not in told}
        for budget_id, costs in daily_costs(waiting.values(), window).items():
            spent = sum((amount for day, amount in costs.items() if day in month), start=Decimal(0))
            found = forecast(costs, month, now.date())
            budget = waiting[budget_id]
            if found is not None and BudgetStatus(spent, budget.amount).is_expected_over(found.expected):
                yield Finding(budget, [WHOLE], found.expected, is_forecast=True)


def _some_at_a_time(budgets: QuerySet[Budget]) -> Iterator[list[Budget]]:
    last = 0
    while some := list(budgets.filter(pk__gt=last).select_related("organization").order_by("pk")[:AT_ONCE]):
        yield some
        last = some[-1].pk


def _told(budgets: Collection[Budget], month: Period, *, is_forecast: bool) -> set[tuple[tuple[int, Scope], int]]:
    organization_ids = {budget.organization_id for budget in budgets}
    alerts = BudgetAlert.objects.filter(
        month=month.start, is_forecast=is_forecast, organization_id__in=organization_ids
    )
    return {(_key(alert), alert.threshold) for alert in alerts}


def _key(row: Budget | BudgetAlert) -> tuple[int, Scope]:
    return row.organization_id, row.scope


def _tell_all(task: str, findings: Iterator[Finding], month: Period) -> int:
    tell = partial(_tell, month=month)
    return sum(isolation.do_each(task, findings, tell, name=lambda finding: f"{BUDGET}{finding.budget.pk}"))


def _tell(finding: Finding, *, month: Period) -> int:
    """Tell of the thresholds of one budget; returns how many nobody else has told of."""
    parameters: dict[str, Any] = {
        "budget": finding.budget.pk,
        "amount": finding.budget.amount,
        "month": month.start,
        "thresholds": list(finding.thresholds),
        "is_forecast": finding.is_forecast,
        "spent": finding.spent,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(CLAIM_SQL, parameters)
        claimed = [alert_id for (alert_id,) in cursor.fetchall()]
        alerts = BudgetAlert.objects.filter(pk__in=claimed).select_related("organization").order_by("pk")
        for alert in alerts if claimed else ():
            target = target_of(alert.scope)
            outbox.budget_alert(alert, scope=target.as_data(), about=target.sentence)
    return len(claimed)
