"""What the Cost page says about the whole organization beside its usage: forecast, budget, credit grants and invoices."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db.models import OuterRef, Subquery

from accounts.access import Access
from accounts.models import Organization
from accounts.pages.lists import ListPage, page_of
from accounts.periods import Period, month_of
from billing.alerts import Budget, BudgetKind
from billing.budgets.forecast import forecast
from billing.budgets.forecast_text import ForecastText, forecast_text
from billing.budgets.status import BudgetStatus
from billing.cost.queries import Spending, matters_in
from billing.display import dollars
from billing.invoices.grants import Balance, balances
from billing.invoices.listing import GrantRow, InvoiceRow, grant_row, invoice_row
from billing.models import Invoice
from metering.pages.parts import Asked

SHOWN_INVOICES: Final = 4
INVOICE_FIELDS: Final = ("id", "kind", "state", "number", "month", "total", "issue_date", "due_date", "held_at")


@dataclass(frozen=True)
class BudgetShare:
    """How much of the month's budget is spent."""

    status: BudgetStatus
    amount: str


@dataclass(frozen=True)
class Outlook:
    """Empty where the reader's role does not reach, or where there is nothing to say."""

    forecast: ForecastText | None = None
    budget: BudgetShare | None = None
    grants: tuple[GrantRow, ...] = ()
    grant_page: ListPage[Balance] | None = None
    invoices: tuple[InvoiceRow, ...] = ()


def outlook_of(asked: Asked, spent: Spending) -> Outlook:
    """`spent` is all that the organization, with its children, spent in the month. At most three queries."""
    access, month, now = asked.access, asked.form.month, asked.now
    grant_page = _grant_page(asked) if access.is_admin else None
    budget, invoices = _budget_and_invoices(access) if access.is_owner else (None, ())
    is_current = now.date() in month
    return Outlook(
        forecast=_forecast(spent, month, now),
        budget=BudgetShare(BudgetStatus(spent.amount, budget), dollars(budget))
        if budget is not None and is_current
        else None,
        grants=tuple(grant_row(balance, now) for balance in grant_page.rows) if grant_page else (),
        grant_page=grant_page,
        invoices=invoices,
    )


def _forecast(spent: Spending, month: Period, now: datetime) -> ForecastText | None:
    found = forecast(spent.days(), month, now.date())
    return forecast_text(found, spent.amount) if found else None


def _budget_and_invoices(access: Access) -> tuple[Decimal | None, tuple[InvoiceRow, ...]]:
    """The amount of the organization's own budget and the newest invoices, in one query: each row brings the budget with it."""
    columns = [f"invoices__{name}" for name in INVOICE_FIELDS]
    whole = Budget.objects.filter(organization=OuterRef("pk"), kind=BudgetKind.ORGANIZATION)
    rows = list(
        Organization.objects.filter(pk=access.organization.pk)
        .annotate(budget=Subquery(whole.values("amount")))
        .order_by("-invoices__month", "-invoices__id")
        .values_list("budget", *columns)[:SHOWN_INVOICES]
    )
    invoices = [Invoice(**dict(zip(INVOICE_FIELDS, found, strict=True))) for _, *found in rows if found[0] is not None]
    return rows[0][0], tuple(invoice_row(invoice) for invoice in invoices)


def _grant_page(asked: Asked) -> ListPage[Balance]:
    """The organization's grants that matter in the month, with what they have paid up to its end: a page of them, as `grant`
    asks for."""
    month, today = asked.form.month, asked.now.date()
    last_day = month.end - timedelta(days=1)
    found = balances(asked.access.organization, min(last_day, today) if month_of(today) == month else last_day)
    of_month = [balance for balance in found if matters_in(balance.grant, month)]
    return page_of(of_month, dict(asked.address.parameters), name="grant")
