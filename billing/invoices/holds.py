"""Invoices that are held back: a month below zero is never issued by itself, nor paid out, until a person decides.

More was taken back than used: by honest corrections, or by mistaken ones. Until staff release it, or the cause is
corrected, the invoice stays a draft without a number: nothing of it is on the payer's balance, and it is computed again
with every closing. The payer's later months wait for it, so that they do not offset it unseen.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db.models import Min, QuerySet
from django.urls import reverse

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.installation.site import address_of
from billing.alerts import StaffNews
from billing.display import dollars
from billing.models import Invoice
from billing.notices import outbox

ACTOR: Final = Actor(name="month close")


@dataclass(frozen=True)
class Held:
    """A held invoice and why it is held; `waits`: for another one, which is to be decided first."""

    invoice: Invoice
    reason: str
    waits: bool


def reason_to_hold(draft: Invoice) -> str:
    """Why the draft must not be issued without a person's word; empty if it may."""
    return _reason(draft, waits_for(draft))


def hold(draft: Invoice, reason: str, now: datetime) -> None:
    """Keep the draft back. Staff are told when that happens for the first time, and the audit log has it."""
    if draft.held_at is not None:
        return
    draft.held_at = now
    draft.save(update_fields=["held_at"])
    named = f"The invoice of {draft.payer.name} for {draft.month:%B %Y}"
    outbox.tell_staff(
        "billing.change_invoice",
        message_id=f"msg_held_{draft.pk}",
        event_type=StaffNews.HELD,
        page="billing:all_invoices",
        subject=f"{named} is on hold",
        text=f"{named} is on hold. {reason}\n\nIf it is right, release it; if not, have its cause corrected:\n"
        f"{address_of(reverse('billing:all_invoices'))}\n",
    )
    audit.record(
        "invoice.held",
        actor=ACTOR,
        organization=draft.payer,
        target_id=str(draft.pk),
        target_name=f"{draft.month:%Y-%m}",
        details={"total": str(draft.total), "reason": reason},
    )


def held_invoices() -> QuerySet[Invoice]:
    """Everything that is held: the oldest month first, for which later ones wait, and in a month the lowest total."""
    return Invoice.objects.filter(held_at__isnull=False).select_related("payer").order_by("month", "total", "id")


def explained(invoices: Collection[Invoice]) -> list[Held]:
    """These held invoices, in their order, and why they are held. One query."""
    payers = {invoice.payer_id for invoice in invoices}
    of_payers = Invoice.objects.filter(payer__in=payers, held_at__isnull=False).values("payer")
    first = dict(of_payers.annotate(first=Min("month")).values_list("payer", "first"))
    waits = {one.pk: first[one.payer_id] if first[one.payer_id] < one.month else None for one in invoices}
    return [Held(one, _reason(one, waits[one.pk]), waits[one.pk] is not None) for one in invoices]


def waits_for(draft: Invoice) -> date | None:
    """The first earlier month of the payer that is held, for which this one waits."""
    earlier = Invoice.objects.filter(payer=draft.payer_id, month__lt=draft.month, held_at__isnull=False)
    return earlier.order_by("month").values_list("month", flat=True).first()


def _reason(draft: Invoice, earlier: date | None) -> str:
    if earlier is not None:
        return f"It waits for {earlier:%B %Y}, which is on hold."
    if min(draft.subtotal, draft.total) < 0:
        return f"It is below zero: {dollars(draft.subtotal)} of usage, {dollars(draft.total)} in total."
    return ""
