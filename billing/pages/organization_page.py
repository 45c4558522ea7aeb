"""The Billing page of an organization: what each role sees there (product.md, section 1), ready to be drawn."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from accounts.access import Access
from accounts.models import Organization
from accounts.periods import Period, month_of
from billing.alerts import Budget, WebhookEndpoint
from billing.budgets import budgets
from billing.budgets.forecast import WINDOW_DAYS, forecast
from billing.budgets.forecast_text import ForecastText, forecast_text
from billing.budgets.status import BudgetStatus
from billing.display import dollars
from billing.invoices.balance import balance_of
from billing.invoices.grants import balances
from billing.invoices.listing import GrantRow, InvoiceRow, grant_row, invoice_rows


@dataclass(frozen=True)
class BudgetMonth:
    """This month against the budget."""

    status: BudgetStatus
    spent: str
    amount: str
    is_hard: bool
    forecast: ForecastText | None
    is_expected_over: bool


@dataclass(frozen=True)
class BillingReport:
    """Owners' parts are empty for admins, who see the credit grants only. `balance` and `owed` are empty where it is nothing."""

    payer: Organization | None
    balance: str
    owed: str
    grants: tuple[GrantRow, ...]
    invoices: tuple[InvoiceRow, ...]
    budget: BudgetMonth | None
    endpoints: tuple[WebhookEndpoint, ...]


def billing_report(access: Access, now: datetime) -> BillingReport:
    """What the reader may see of the organization's billing; at most eight queries, however much there is."""
    organization = access.organization
    balance = balance_of(organization.pk) if access.is_owner else Decimal(0)
    return BillingReport(
        payer=organization.parent,
        balance=dollars(balance) if balance > 0 else "",
        owed=dollars(-balance) if balance < 0 else "",
        grants=grant_rows(organization, now),
        invoices=invoice_rows(organization) if access.is_owner else (),
        budget=_budget(organization, now) if access.is_owner else None,
        endpoints=_endpoints(organization) if access.is_owner else (),
    )


def grant_rows(payer: Organization, now: datetime) -> tuple[GrantRow, ...]:
    """The payer's grants with what is left of them now."""
    return tuple(grant_row(balance, now) for balance in balances(payer, now.date()))


def _budget(organization: Organization, now: datetime) -> BudgetMonth | None:
    budget = Budget.objects.filter(organization=organization).first()
    if budget is None:
        return None
    month = month_of(now.date())
    costs = budgets.daily_costs(organization, Period(month.start - timedelta(days=WINDOW_DAYS), month.end))
    spent = sum((amount for day, amount in costs.items() if day in month), start=Decimal(0))
    expected = forecast(costs, month, now.date())
    status = BudgetStatus(spent, budget.amount)
    return BudgetMonth(
        status=status,
        spent=dollars(spent),
        amount=dollars(budget.amount),
        is_hard=budget.is_hard,
        forecast=forecast_text(expected, spent) if expected else None,
        is_expected_over=expected is not None and status.is_expected_over(expected.expected),
    )


def budget_initial(organization: Organization) -> dict[str, Decimal | str | bool]:
    """The budget as the form shows it; the defaults where there is none."""
    budget = Budget.objects.filter(organization=organization).first()
    if budget is None:
        return {"thresholds": "50, 80, 100"}
    return {
        "amount": budget.amount,
        "thresholds": ", ".join(str(threshold) for threshold in budget.thresholds),
        "is_hard": budget.is_hard,
    }


def _endpoints(organization: Organization) -> tuple[WebhookEndpoint, ...]:
    found = WebhookEndpoint.objects.filter(organization=organization, disabled_at__isnull=True)
    return tuple(found.order_by("created_at", "id"))
