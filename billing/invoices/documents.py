"""An invoice or credit note as it is read: one shape for the page and the PDF."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Final

from django.conf import settings

from accounts.models import Organization
from accounts.periods import month_of
from billing.display import dollars, exact_quantity
from billing.document_parts import DocumentLogo
from billing.invoices.invoices import Party, Seller
from billing.models import CreditApplication, Invoice, InvoiceLine, LineItem
from metering.display import long_day

HELD: Final = "Held"


@dataclass(frozen=True)
class Line:
    """A line of a document. `late` names the month of usage that came after its month's invoice, or nothing."""

    model: str
    line_item: str
    late: str
    quantity: str
    amount: str


@dataclass(frozen=True)
class Section:
    """The lines of one organization and their sum."""

    organization: str
    lines: tuple[Line, ...]
    subtotal: str


@dataclass(frozen=True)
class Document:
    """Everything that is on the paper. Dates are empty for a draft; `balance` and `to_pay`, where the balance does not change."""

    kind: str
    number: str
    state: str
    period: str
    issued: str
    due: str
    corrects: str
    seller: Party
    buyer: Party
    sections: tuple[Section, ...]
    subtotal: str
    credits: tuple[tuple[str, str], ...]
    taxable: str
    tax_label: str
    tax: str
    total: str
    balance: tuple[str, str] | None
    to_pay: str
    settled: str
    payment_note: str
    logo: DocumentLogo | None = None
    """The seller's, as it was when the document was issued."""

    @property
    def is_consolidated(self) -> bool:
        """Whether it has usage of more than one organization."""
        return len(self.sections) > 1


def document_of(invoice: Invoice) -> Document:
    """The document behind an invoice; four queries, or five with a logo, however many lines there are."""
    month = month_of(invoice.month)
    last_day = month.end - timedelta(days=1)
    is_note = invoice.kind == Invoice.Kind.CREDIT_NOTE
    seller = Seller(**invoice.seller)
    return Document(
        kind=invoice.get_kind_display(),
        number=invoice.number or "Draft",
        state=state_of(invoice),
        period=f"{long_day(month.start)} to {long_day(last_day)} (UTC)",
        issued=_day(invoice.issue_date),
        due="" if is_note else _day(invoice.due_date),
        corrects=(invoice.corrects.number or "") if invoice.corrects else "",
        seller=seller,
        buyer=Party(**invoice.buyer),
        sections=_sections(invoice),
        subtotal=dollars(invoice.subtotal),
        credits=_credits(invoice),
        taxable=dollars(invoice.subtotal - invoice.credits),
        tax_label=f"{invoice.tax_name} {percent(invoice.tax_rate)}",
        tax=dollars(invoice.tax),
        total=dollars(invoice.total),
        balance=_balance(invoice),
        to_pay=dollars(invoice.due) if invoice.balance_change and not is_note else "",
        settled=_settled(invoice),
        payment_note=settings.INVOICE_PAYMENT_NOTE if invoice.state == Invoice.State.OPEN and not is_note else "",
        logo=DocumentLogo.objects.get(pk=seller.logo) if seller.logo else None,
    )


def state_of(invoice: Invoice) -> str:
    """The state as people call it: a final credit note is issued, an open invoice after its due date still open, and a
    draft that waits for a person's decision held."""
    if invoice.held_at is not None:
        return HELD
    if invoice.kind == Invoice.Kind.CREDIT_NOTE and invoice.state != Invoice.State.DRAFT:
        return "Issued"
    return str(invoice.get_state_display())


def percent(fraction: Decimal) -> str:
    """0.19 → '19%'."""
    text = f"{fraction * 100:f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}%"


def _balance(invoice: Invoice) -> tuple[str, str] | None:
    """What the document takes from the payer's balance or adds to it, as a row under the total."""
    change = invoice.balance_change
    if not change:
        return None
    if change < 0:
        return "From your balance", dollars(change)
    is_owed = invoice.kind == Invoice.Kind.INVOICE and invoice.total > -change
    return "Owed from before" if is_owed else "To your balance", dollars(change)


def _day(day: date | None) -> str:
    return long_day(day) if day else ""


def _settled(invoice: Invoice) -> str:
    if invoice.paid_at:
        return f"Paid on {long_day(invoice.paid_at.date())}"
    return f"Voided on {long_day(invoice.voided_at.date())}" if invoice.voided_at else ""


def _sections(invoice: Invoice) -> tuple[Section, ...]:
    """The payer's own lines first, then its children's by name."""
    lines = sorted(
        invoice.lines.select_related("organization", "model"),
        key=lambda line: (
            line.organization_id != invoice.payer_id,
            line.organization.name,
            line.organization_id,
            line.usage_month,
            line.model.name,
            line.line_item,
        ),
    )
    return tuple(
        _section(invoice, organization, own) for organization, own in groupby(lines, key=lambda line: line.organization)
    )


def _section(invoice: Invoice, organization: Organization, lines: Iterable[InvoiceLine]) -> Section:
    found = tuple(lines)
    return Section(
        organization.name,
        tuple(_line(invoice, line) for line in found),
        dollars(sum((line.amount for line in found), start=Decimal(0))),
    )


def _line(invoice: Invoice, line: InvoiceLine) -> Line:
    item = LineItem(line.line_item)
    return Line(
        model=line.model.name,
        line_item=item.label,
        late=f"{line.usage_month:%B %Y}" if line.usage_month != invoice.month else "",
        quantity=exact_quantity(line.quantity, item),
        amount=dollars(line.amount),
    )


def _credits(invoice: Invoice) -> tuple[tuple[str, str], ...]:
    rows = CreditApplication.objects.filter(invoice=invoice).select_related("grant").order_by("grant_id")
    return tuple((row.grant.name, dollars(-row.amount)) for row in rows)
