"""Invoices and credit notes in a list."""

from dataclasses import dataclass

from accounts.models import Organization
from billing.display import dollars
from billing.invoices.documents import state_of
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
