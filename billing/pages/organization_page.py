"""The Billing page of an organization: what each role sees there (product.md, section 1), ready to be drawn."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from accounts.access import Access
from accounts.models import Organization
from accounts.pages.lists import ListPage, page_of
from billing.alerts import WHOLE_ORGANIZATION, Budget
from billing.display import dollars
from billing.invoices.balance import balance_of
from billing.invoices.grants import Balance, balances
from billing.invoices.listing import GrantRow, InvoiceRow, grant_row, invoice_rows
from billing.pages.budget_page import BudgetMonth, budget_months


@dataclass(frozen=True)
class BillingReport:
    """Owners' parts are empty for admins, who see the credit grants only. `balance` and `owed` are empty where it is nothing.

    `budget` is that of the whole organization.
    """

    payer: Organization | None
    balance: str
    owed: str
    grants: tuple[GrantRow, ...]
    grant_page: ListPage[Balance]
    invoices: tuple[InvoiceRow, ...]
    budget: BudgetMonth | None
    num_other_budgets: int


def billing_report(access: Access, query: Mapping[str, str], now: datetime) -> BillingReport:
    """What the reader may see of the organization's billing; at most seven queries, however much there is.

    `grant` of the query string asks for a page of the grants.
    """
    organization = access.organization
    balance = balance_of(organization.pk) if access.is_owner else Decimal(0)
    budgets = list(Budget.objects.filter(organization=organization)) if access.is_owner else []
    grant_page = page_of(balances(organization, now.date()), query, name="grant")
    whole = budget_months((budget for budget in budgets if budget.scope == WHOLE_ORGANIZATION), now)
    return BillingReport(
        payer=organization.parent,
        balance=dollars(balance) if balance > 0 else "",
        owed=dollars(-balance) if balance < 0 else "",
        grants=tuple(grant_row(balance, now) for balance in grant_page.rows),
        grant_page=grant_page,
        invoices=invoice_rows(organization) if access.is_owner else (),
        budget=whole[0] if whole else None,
        num_other_budgets=len(budgets) - len(whole),
    )
