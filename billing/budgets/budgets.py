"""Budgets of UTC months: alerts at their thresholds, each once, and the end of API use when a hard one is spent.

A budget is about the cost of the organization's own usage and, for a parent, its children's, before credit.
"""

import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from django.db import connection, transaction

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.clock import database_now
from accounts.models import Organization
from accounts.periods import Period, month_of
from billing.alerts import Budget, BudgetAlert
from billing.budgets.forecast import WINDOW_DAYS, forecast
from billing.budgets.status import WHOLE, BudgetStatus, reached_sql
from billing.display import dollars
from billing.money import CENT
from billing.notices import outbox
from metering import isolation

REMEMBERED_SECONDS: Final = 1.0
MAX_REMEMBERED: Final = 100_000
MAX_THRESHOLD: Final = 1000
SPENT_SQL: Final = """
SELECT budget.organization_id, budget.amount, budget.thresholds, budget.is_hard,
    coalesce(sum(cost.amount), 0) AS spent
FROM billing_budget AS budget
JOIN accounts_organization AS member ON member.id = budget.organization_id OR member.parent_id = budget.organization_id
LEFT JOIN billing_dailycost AS cost
    ON cost.organization_id = member.id AND cost.day >= %(start)s AND cost.day < %(end)s
"""
GROUP_SQL: Final = "GROUP BY budget.organization_id, budget.amount, budget.thresholds, budget.is_hard"
# The budgets of these organizations and of their parents, or of all.
CONCERNED_SQL: Final = """
WHERE %(organizations)s::bigint[] IS NULL OR budget.organization_id IN (
    SELECT unnest(ARRAY[id, parent_id]) FROM accounts_organization WHERE id = ANY (%(organizations)s)
)
"""
CROSSED_SQL: Final = f"""
SELECT DISTINCT spent.organization_id
FROM ({SPENT_SQL} {CONCERNED_SQL} {GROUP_SQL}) AS spent, unnest(spent.thresholds) AS wanted (percent)
WHERE {reached_sql("spent.spent", "spent.amount", "wanted.percent")} AND NOT EXISTS (
    SELECT FROM billing_budgetalert AS told
    WHERE told.organization_id = spent.organization_id AND told.month = %(start)s AND told.threshold = wanted.percent
      AND NOT told.is_forecast
)
ORDER BY 1
"""
CLAIM_SQL: Final = f"""
INSERT INTO billing_budgetalert (organization_id, month, threshold, is_forecast, spent, budget_amount)
SELECT spent.organization_id, %(start)s, threshold, false, spent.spent, spent.amount
FROM ({SPENT_SQL} WHERE budget.organization_id = %(organization)s {GROUP_SQL}) AS spent, unnest(spent.thresholds) AS threshold
WHERE {reached_sql("spent.spent", "spent.amount", "threshold")}
ORDER BY 1, 3
ON CONFLICT DO NOTHING
RETURNING id
"""
BLOCK_SQL: Final = f"""
{SPENT_SQL}
WHERE budget.is_hard AND budget.organization_id IN (%(organization)s, %(parent)s)
{GROUP_SQL} HAVING {reached_sql("coalesce(sum(cost.amount), 0)", "budget.amount", f"{WHOLE}")}
ORDER BY budget.organization_id = %(organization)s DESC
"""

_blocks: dict[int, tuple[float, str | None]] = {}


class BudgetRefusedError(ValueError):
    """A budget that cannot be set; the message says why."""


def set_budget(
    organization: Organization, *, amount: Decimal, thresholds: Sequence[int], is_hard: bool, actor: Actor
) -> Budget:
    """The organization's budget from now on, with an audit entry; what is already crossed this month is told at once.

    Raises BudgetRefusedError.
    """
    if not amount.is_finite() or amount <= 0 or amount % CENT:
        raise BudgetRefusedError("A budget must be more than zero, in whole cents.")
    if any(not 0 < threshold <= MAX_THRESHOLD for threshold in thresholds):
        raise BudgetRefusedError(f"Thresholds are percentages from 1 to {MAX_THRESHOLD}.")
    with transaction.atomic():
        budget, _ = Budget.objects.update_or_create(
            organization=organization,
            defaults={"amount": amount, "thresholds": sorted(set(thresholds)), "is_hard": is_hard},
        )
        _record("budget.set", organization, actor, amount=str(amount), thresholds=budget.thresholds, is_hard=is_hard)
    _blocks.pop(organization.pk, None)
    check([organization.pk])
    return budget


def remove_budget(organization: Organization, *, actor: Actor) -> None:
    """The organization has no budget from now on. Alerts of this month stay, so that a new budget does not repeat them."""
    with transaction.atomic():
        if Budget.objects.filter(organization=organization).delete()[0]:
            _record("budget.removed", organization, actor)
    _blocks.pop(organization.pk, None)


def check(organization_ids: Sequence[int] | None = None, *, now: datetime | None = None) -> int:
    """Write an alert for each threshold that is crossed and has none this month, and what is to be sent about it.

    Of these organizations and their parents, or of all. Returns the number of alerts. Any number of processes may check
    at once: the alert's row is the claim.
    """
    month = month_of((now or database_now()).date())
    with connection.cursor() as cursor:
        cursor.execute(CROSSED_SQL, _parameters(month, organization_ids))
        crossed = [organization_id for (organization_id,) in cursor.fetchall()]
    return sum(isolation.do_each("check_budgets", crossed, partial(_alert, month=month), name=_name))


def budget_block(organization: Organization) -> str | None:
    """Why the organization may not use the API for the rest of the month: a hard budget, its own or its parent's, is spent.

    None if it may. Asked of the database at most once a second per organization and process.
    """
    known = _blocks.get(organization.pk)
    now = time.monotonic()
    if known is not None and now - known[0] < REMEMBERED_SECONDS:
        return known[1]
    if len(_blocks) > MAX_REMEMBERED:
        _blocks.clear()
    reason = _find_block(organization)
    _blocks[organization.pk] = (now, reason)
    return reason


def forget() -> None:
    """Drop this process's memory (for tests)."""
    _blocks.clear()


def daily_costs(organization: Organization, period: Period) -> dict[date, Decimal]:
    """What counts against the organization's budget on each UTC day of a period."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT cost.day, sum(cost.amount) FROM accounts_organization AS member"
            " JOIN billing_dailycost AS cost ON cost.organization_id = member.id AND cost.day >= %s AND cost.day < %s"
            " WHERE %s IN (member.id, member.parent_id) AND cost.amount IS NOT NULL GROUP BY cost.day",
            [period.start, period.end, organization.pk],
        )
        return dict(cursor.fetchall())


def check_forecasts(now: datetime) -> int:
    """Tell, once a month, of each budget that the month is expected to exceed; returns how many were told."""
    today = now.date()
    month = month_of(today)
    told = BudgetAlert.objects.filter(month=month.start, is_forecast=True).values("organization_id")
    budgets = Budget.objects.exclude(organization_id__in=told).select_related("organization").order_by("pk")
    check_one = partial(_check_forecast, month=month, today=today)
    return sum(isolation.do_each("check_forecasts", budgets, check_one, name=lambda budget: _name(budget.pk)))


def _alert(organization_id: int, *, month: Period) -> int:
    """Tell of the thresholds of one budget that were crossed; returns how many nobody else has told of."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(CLAIM_SQL, {"start": month.start, "end": month.end, "organization": organization_id})
        claimed = [alert_id for (alert_id,) in cursor.fetchall()]
        alerts = BudgetAlert.objects.filter(pk__in=claimed).select_related("organization").order_by("pk")
        for alert in alerts if claimed else ():
            outbox.budget_alert(alert)
    return len(claimed)


def _name(organization_id: int) -> str:
    return f"organization {organization_id}"


def _find_block(organization: Organization) -> str | None:
    month = month_of(database_now().date())
    parameters = {"organization": organization.pk, "parent": organization.parent_id}
    with connection.cursor() as cursor:
        cursor.execute(BLOCK_SQL, {"start": month.start, "end": month.end, **parameters})
        found = cursor.fetchone()
    if found is None:
        return None
    whose = "the organization's" if found[0] == organization.pk else "the paying organization's"
    return (
        f"{whose.capitalize()} budget of {dollars(found[1])} for {month.start:%B %Y} is used up."
        f" It resets on {month.end} at 00:00 UTC."
    )


def _check_forecast(budget: Budget, month: Period, today: date) -> bool:
    costs = daily_costs(budget.organization, Period(month.start - timedelta(days=WINDOW_DAYS), month.end))
    spent = sum((amount for day, amount in costs.items() if day in month), start=Decimal(0))
    expected = forecast(costs, month, today)
    if expected is None or not BudgetStatus(spent, budget.amount).is_expected_over(expected.expected):
        return False
    with transaction.atomic():
        alert, is_new = BudgetAlert.objects.get_or_create(
            organization=budget.organization,
            month=month.start,
            threshold=WHOLE,
            is_forecast=True,
            defaults={"spent": expected.expected, "budget_amount": budget.amount},
        )
        if is_new:
            outbox.budget_alert(alert)
    return is_new


def _parameters(month: Period, organization_ids: Sequence[int] | None) -> dict[str, date | list[int] | None]:
    organizations = None if organization_ids is None else list(organization_ids)
    return {"start": month.start, "end": month.end, "organizations": organizations}


def _record(event: str, organization: Organization, actor: Actor, **details: object) -> None:
    audit.record(
        event,
        actor=actor,
        organization=organization,
        target_id=organization.public_id,
        target_name=organization.name,
        details=details,
    )
