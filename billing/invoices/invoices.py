"""Invoices: drafted, final, paid, voided. Each function is one transaction and safe to run twice, or by two at once.

A line is a key (organization, model, line item, usage month): its cost to date, rounded once, less what earlier documents
charged for it. So what comes late is on the next invoice by itself, and all documents of a key sum to its rounded cost.
Credit pays the same cents, by the UTC day of the usage: what `credits.pay` says for all that the payer's documents charge,
this one and later ones included, less what they apply. So they apply the same in whatever order they are made.
"""

import hashlib
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max, Sum

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.installation.brand import Image
from accounts.models import Organization
from accounts.periods import Period, month_of
from billing.display import dollars
from billing.document_parts import BilledDay
from billing.invoices import balance, holds
from billing.invoices.billed import charged_days, write_lines
from billing.invoices.credits import ZERO, pay, used_by
from billing.invoices.grants import pure
from billing.models import BillingDetails, CreditApplication, CreditGrant, Invoice, InvoiceLine
from billing.money import to_cents
from billing.notices import outbox
from billing.prices import unrated

FINAL: Final = (Invoice.State.OPEN, Invoice.State.PAID)
# The parts of a document as those of the credit note that takes it back.
TAKE_BACK_SQL: Final = (
    """
    INSERT INTO billing_invoiceline (invoice_id, organization_id, model_id, line_item, usage_month, quantity, amount)
    SELECT %s, organization_id, model_id, line_item, usage_month, -quantity, -amount
    FROM billing_invoiceline WHERE invoice_id = %s
    """,
    """
    INSERT INTO billing_billedday (invoice_id, organization_id, day, amount)
    SELECT %s, organization_id, day, -amount FROM billing_billedday WHERE invoice_id = %s
    """,
    """
    INSERT INTO billing_creditapplication (invoice_id, grant_id, amount)
    SELECT %s, grant_id, -amount FROM billing_creditapplication WHERE invoice_id = %s
    """,
)
KEEP_LOGO_SQL: Final = """
INSERT INTO billing_documentlogo (digest, body) VALUES (%(digest)s, %(body)s) ON CONFLICT DO NOTHING
"""
# Documents are written side by side under this lock; a deletion waits for them, and is refused then.
HOLD_LOGO_SQL: Final = "SELECT FROM billing_documentlogo WHERE digest = %(digest)s FOR KEY SHARE"


class InvoiceRefusedError(ValueError):
    """Something that cannot be done with an invoice in its state; the message says why."""


class UnratedError(InvoiceRefusedError):
    """An invoice over costs that do not have their prices yet."""

    def __init__(self) -> None:
        super().__init__(
            "Prices of its usage were changed, and what it costs is still being rated again. Try again later."
        )


@dataclass(frozen=True)
class Party:
    """The seller or the buyer as a document names them."""

    name: str
    address: str
    tax_id: str


@dataclass(frozen=True)
class Seller(Party):
    """Who issues a document, and the digest of their logo on it, if they have one."""

    logo: str = ""


def draft(payer: Organization, month: Period) -> Invoice | None:
    """The payer's draft for the month, computed anew; None if there is nothing to bill. A final invoice stays as it is."""
    with transaction.atomic():
        return _draft(payer, month)


def finalize(payer: Organization, month: Period, now: datetime) -> Invoice | None:
    """The payer's invoice of the month, computed for the last time, with its number; None if there is nothing to bill.

    An invoice that a person has to decide about stays a draft, and is held (`billing.invoices.holds`). Raises UnratedError.
    """
    with transaction.atomic():
        unrated.hold_changes()
        invoice = _draft(payer, month)
        if invoice is not None and invoice.state != Invoice.State.DRAFT:
            return invoice
        _require_rated(payer, month)
        if invoice is None:
            return None
        if reason := holds.reason_to_hold(invoice):
            holds.hold(invoice, reason, now)
        else:
            _issue_invoice(invoice, now)
        return invoice


def release(invoice: Invoice, total: Decimal | None, *, actor: Actor, now: datetime) -> Invoice:
    """A person has looked at the held invoice over `total` and it is right: it is issued, even below zero.

    Raises InvoiceRefusedError if it is not held any more, waits for an earlier one, or is over another total by now, or over
    costs that do not have their prices yet.
    """
    with transaction.atomic():
        unrated.hold_changes()
        balance.lock(invoice.payer_id)
        found = Invoice.objects.select_related("payer").filter(pk=invoice.pk, held_at__isnull=False).first()
        draft = found and _draft(found.payer, month_of(found.month))
        if draft is None or draft.pk != invoice.pk:
            raise InvoiceRefusedError("This invoice is no longer on hold.")
        _require_rated(draft.payer, month_of(draft.month))
        if holds.waits_for(draft) is not None:
            raise InvoiceRefusedError(holds.reason_to_hold(draft))
        if draft.total != total:
            raise InvoiceRefusedError(f"The total of this invoice is now {dollars(draft.total)}: review it again.")
        _issue_invoice(draft, now)
        _record("invoice.released", draft, actor)
        return draft


def mark_paid(invoice: Invoice, *, actor: Actor, now: datetime) -> None:
    """An open invoice is paid. Marking it again changes nothing. Raises InvoiceRefusedError in any other state."""
    with transaction.atomic():
        found = Invoice.objects.select_for_update().get(pk=invoice.pk)
        if found.state == Invoice.State.PAID:
            return
        if found.state != Invoice.State.OPEN or found.kind != Invoice.Kind.INVOICE:
            raise InvoiceRefusedError(f"{_named(found)} is {found.get_state_display().lower()} and cannot be paid.")
        Invoice.objects.filter(pk=found.pk).update(state=Invoice.State.PAID, paid_at=now)
        _record("invoice.paid", found, actor)


def void(invoice: Invoice, *, actor: Actor, now: datetime) -> Invoice:
    """Take a final invoice back with a credit note, which is returned. What it charged is then on no document any more:
    closing its month for the payer again, or their next invoice, charges it as it is then. What was paid is on the
    payer's balance.
    """
    with transaction.atomic():
        balance.lock(invoice.payer_id)
        found = Invoice.objects.select_for_update(of=["self"]).select_related("payer").get(pk=invoice.pk)
        if found.kind != Invoice.Kind.INVOICE or found.state not in FINAL:
            raise InvoiceRefusedError(f"{_named(found)} cannot be voided: only an open or paid invoice can.")
        note = _credit_note(found, now.date())
        Invoice.objects.filter(pk=found.pk).update(state=Invoice.State.VOID, voided_at=now)
        _record("invoice.voided", found, actor, credit_note=note.number)
        return note


def seller() -> Seller:
    """Who issues invoices here, as the settings say."""
    name, address, tax_id = (
        settings.INVOICE_SELLER_NAME,
        settings.INVOICE_SELLER_ADDRESS,
        settings.INVOICE_SELLER_TAX_ID,
    )
    logo: Image | None = settings.BRAND.paper_logo
    return Seller(name, address, tax_id, logo=hashlib.sha256(logo.body).hexdigest() if logo else "")


def _keep_logo() -> None:
    """The logo that `seller` names is there, and stays until the end of the transaction, which writes a document with it."""
    logo: Image | None = settings.BRAND.paper_logo
    if logo is None:
        return
    values: dict[str, str | bytes] = {"digest": seller().logo, "body": logo.body}
    with connection.cursor() as cursor:
        cursor.execute(HOLD_LOGO_SQL, values)
        while not cursor.rowcount:  # a deletion may come between the two
            cursor.execute(KEEP_LOGO_SQL, values)
            cursor.execute(HOLD_LOGO_SQL, values)


def details_of(payer: Organization) -> BillingDetails:
    """The payer's billing details, as far as they are known, with the installation's terms where they have none."""
    found = BillingDetails.objects.filter(pk=payer.pk).first() or BillingDetails(organization=payer)
    found.legal_name = found.legal_name or payer.name
    found.tax_name = found.tax_name or settings.INVOICE_TAX_NAME
    found.tax_rate = settings.INVOICE_TAX_RATE if found.tax_rate is None else found.tax_rate
    found.due_days = settings.INVOICE_DUE_DAYS if found.due_days is None else found.due_days
    return found


def _require_rated(payer: Organization, month: Period) -> None:
    if unrated.has_unrated(payer.pk, month):
        raise UnratedError


def _draft(payer: Organization, month: Period) -> Invoice | None:
    balance.lock(payer.pk)
    invoices = Invoice.objects.filter(payer=payer, month=month.start, kind=Invoice.Kind.INVOICE)
    # Not read, so not written back: staff may be told of what is held meanwhile.
    found = invoices.exclude(state=Invoice.State.VOID).defer("held_told_at").first()
    if found is not None and found.state != Invoice.State.DRAFT:
        return found
    invoice = found or Invoice.objects.create(payer=payer, month=month.start)
    _clear(invoice)
    write_lines(invoice, month)
    _apply_credit(invoice)
    if not invoice.lines.exclude(amount=0).exists() and not invoice.credit_applications.exists():
        _clear(invoice)
        invoice.delete()
        return None
    _add_up(invoice)
    return invoice


def _clear(invoice: Invoice) -> None:
    InvoiceLine.objects.filter(invoice=invoice).delete()
    BilledDay.objects.filter(invoice=invoice).delete()
    CreditApplication.objects.filter(invoice=invoice).delete()


def _apply_credit(invoice: Invoice) -> None:
    grants = list(CreditGrant.objects.filter(organization=invoice.payer))
    if not grants:
        return
    used = used_by(pay(charged_days(invoice.payer_id, draft=invoice), [pure(grant) for grant in grants]))
    applied = applied_credit(invoice.payer_id)
    CreditApplication.objects.bulk_create(
        CreditApplication(invoice=invoice, grant=grant, amount=change)
        for grant in grants
        if (change := used.get(grant.pk, ZERO) - applied.get(grant.pk, ZERO))
    )


def applied_credit(payer_id: int, *, last_place: int | None = None) -> dict[int, Decimal]:
    """Grant id → dollars that it pays on the payer's final documents, or on their first ones alone."""
    rows = CreditApplication.objects.filter(invoice__payer=payer_id).exclude(invoice__state=Invoice.State.DRAFT)
    if last_place is not None:
        rows = rows.filter(invoice__place__lte=last_place)
    return dict(rows.values_list("grant").annotate(total=Sum("amount")).order_by("grant"))


def _add_up(invoice: Invoice) -> None:
    details = details_of(invoice.payer)
    assert details.tax_rate is not None
    invoice.tax_name, invoice.tax_rate = details.tax_name, details.tax_rate
    invoice.subtotal = invoice.lines.aggregate(total=Sum("amount", default=ZERO))["total"]
    invoice.credits = invoice.credit_applications.aggregate(total=Sum("amount", default=ZERO))["total"]
    invoice.tax = to_cents((invoice.subtotal - invoice.credits) * details.tax_rate)
    invoice.total = invoice.subtotal - invoice.credits + invoice.tax
    invoice.balance_change, invoice.due = balance.settle(invoice.total, balance.balance_of(invoice.payer_id))
    invoice.buyer = asdict(Party(details.legal_name, details.address, details.tax_id))
    invoice.seller = asdict(seller())
    _keep_logo()
    invoice.save()


def _issue_invoice(invoice: Invoice, now: datetime) -> None:
    invoice.held_at = None
    _issue(invoice, series="INV", issue_date=now.date())
    outbox.invoice_finalized(invoice)


def _issue(invoice: Invoice, *, series: str, issue_date: date) -> None:
    """Give the draft its number and make it final. Nothing due is nothing to wait for: such an invoice is paid."""
    due_days = details_of(invoice.payer).due_days
    assert due_days is not None
    invoice.number = _next_number(f"{series}-{issue_date.year}")
    invoice.place = _next_place(invoice.payer_id)
    invoice.issue_date = issue_date
    invoice.due_date = issue_date + timedelta(days=due_days)
    is_settled = invoice.due == 0 and invoice.kind == Invoice.Kind.INVOICE
    invoice.state = Invoice.State.PAID if is_settled else Invoice.State.OPEN
    invoice.save()


def _next_number(series: str) -> str:
    """The next number of the series; a transaction that fails gives it back, because the row waits for its end."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_numberseries AS series (name, last_number) VALUES (%s, 1)"
            " ON CONFLICT (name) DO UPDATE SET last_number = series.last_number + 1 RETURNING last_number",
            [series],
        )
        (number,) = cursor.fetchone()
    return f"{series}-{number:04d}"


def _next_place(payer_id: int) -> int:
    """Behind all final documents of the payer, whose lock is held."""
    last = Invoice.objects.filter(payer=payer_id).aggregate(place=Max("place"))["place"]
    return 1 + (last or 0)


def _credit_note(invoice: Invoice, issue_date: date) -> Invoice:
    """The document that takes the invoice back. What was paid of it, or came from the balance, is on the balance again."""
    paid = invoice.due if invoice.state == Invoice.State.PAID else ZERO
    balance_change = paid - invoice.balance_change
    note = Invoice.objects.create(
        kind=Invoice.Kind.CREDIT_NOTE,
        payer=invoice.payer,
        month=invoice.month,
        corrects=invoice,
        seller=invoice.seller,
        buyer=invoice.buyer,
        tax_name=invoice.tax_name,
        tax_rate=invoice.tax_rate,
        subtotal=-invoice.subtotal,
        credits=-invoice.credits,
        tax=-invoice.tax,
        total=-invoice.total,
        balance_change=balance_change,
        due=balance_change - invoice.total,
    )
    with connection.cursor() as cursor:
        for statement in TAKE_BACK_SQL:
            cursor.execute(statement, [note.pk, invoice.pk])
    _issue(note, series="CN", issue_date=issue_date)
    return note


def _record(event: str, invoice: Invoice, actor: Actor, **details: object) -> None:
    audit.record(
        event,
        actor=actor,
        organization=invoice.payer,
        target_id=str(invoice.pk),
        target_name=invoice.number or "",
        details={"total": str(invoice.total), **details},
    )


def _named(invoice: Invoice) -> str:
    return f"{invoice.get_kind_display()} {invoice.number}" if invoice.number else "A draft"
