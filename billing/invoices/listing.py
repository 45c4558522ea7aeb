"""Invoices, credit notes and credit grants in a list."""

from dataclasses import dataclass
from datetime import datetime

from accounts.models import Organization
from billing.display import dollars
from billing.invoices import credits as rules
from billing.invoices.credits import GrantState
from billing.invoices.documents import state_of
from billing.invoices.grants import Balance, expiring_soon, pure
from billing.models import Invoice
from metering.display import long_day


@dataclass(frozen=True)
class InvoiceRow:
    pk: int
    number: str
    kind: str
    month: str
    issued: str
    due: str
    amount: str
    state: str


def invoice_rows(payer: Organization) -> tuple[InvoiceRow, ...]:
    """The payer's documents, the newest first."""
    found = Invoice.objects.filter(payer=payer).order_by("-month", "-id")
    return tuple(invoice_row(invoice) for invoice in found)


def invoice_row(invoice: Invoice) -> InvoiceRow:
    """An invoice in a list."""
    is_note = invoice.kind == Invoice.Kind.CREDIT_NOTE
    return InvoiceRow(
        pk=invoice.pk,
        number=invoice.number or "Draft",
        kind=invoice.get_kind_display(),
        month=f"{invoice.month:%B %Y}",
        issued=long_day(invoice.issue_date) if invoice.issue_date else "",
        due=long_day(invoice.due_date) if invoice.due_date and not is_note else "",
        amount=dollars(invoice.total),
        state=state_of(invoice),
    )


@dataclass(frozen=True)
class GrantRow:
    """A credit grant as it stood at some moment; `expires_soon`: what remains of it ends within 30 days."""

    name: str
    category: str
    remaining: str
    used: str
    granted: str
    effective: str
    expires: str
    state: GrantState
    expires_soon: bool


def grant_row(balance: Balance, now: datetime) -> GrantRow:
    """A grant in a list; of one that has ended or was taken back nothing remains."""
    grant = balance.grant
    state = rules.state_of(pure(grant), balance.used, now)
    is_over = state in (GrantState.EXPIRED, GrantState.VOIDED)
    return GrantRow(
        name=grant.name,
        category=grant.get_category_display(),
        remaining=dollars(0 if is_over else balance.remaining),
        used=dollars(balance.used),
        granted=dollars(grant.amount),
        effective=long_day(grant.effective_at.date()),
        expires=long_day(grant.expires_at.date()) if grant.expires_at else "Never",
        state=state,
        expires_soon=state == GrantState.AVAILABLE and bool(expiring_soon([grant], now)) and balance.remaining > 0,
    )
