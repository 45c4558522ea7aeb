"""Invoices that are held back: a month below zero is never issued by itself, nor paid out, until a person decides.

More was taken back than used: by honest corrections, or by mistaken ones. Until staff release it, or the cause is
corrected, the invoice stays a draft without a number: nothing of it is on the payer's balance, and it is computed again
with every closing. The payer's later months wait for it, so that they do not offset it unseen.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db import transaction
from django.db.models import Min, QuerySet
from django.urls import reverse

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.clock import database_now
from accounts.installation.site import address_of
from accounts.pages.words import counted
from billing.alerts import StaffNews
from billing.display import dollars
from billing.models import Invoice
from billing.notices import outbox

ACTOR: Final = Actor(name="month close")
MOST_NAMED: Final = 5
PAGE: Final = "billing:all_invoices"
PART: Final = "#held"
"""Where the page lists what is held."""
ONE_TO_DO: Final = "If it is right, release it; if not, have its cause corrected:"
MANY_TO_DO: Final = "Release those that are right; of the others, have the cause corrected:"


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
    """Keep the draft back. The audit log has it, and staff are to be told (`tell_staff`)."""
    if draft.held_at is not None:
        return
    draft.held_at = now
    draft.save(update_fields=["held_at"])
    audit.record(
        "invoice.held",
        actor=ACTOR,
        organization=draft.payer,
        target_id=str(draft.pk),
        target_name=f"{draft.month:%Y-%m}",
        details={"total": str(draft.total), "reason": reason},
    )


def tell_staff() -> int:
    """Tell staff, in one message, of everything that is held and that they were not told of; returns how many invoices.

    For the end of a run: a mistake that holds thousands is one message. What a run that was cut off held, the next one tells.
    """
    with transaction.atomic():
        waiting = held_invoices().select_for_update(of=("self",), no_key=True, skip_locked=True)
        new = list(waiting.filter(held_told_at=None))
        if new:
            _tell(new)
            Invoice.objects.filter(pk__in=[invoice.pk for invoice in new]).update(held_told_at=database_now())
    return len(new)


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


def _tell(new: Sequence[Invoice]) -> None:
    """How many, the first few with their reasons, and where all of them are."""
    named = [f"{_named(held.invoice)} is on hold. {held.reason}" for held in explained(new[:MOST_NAMED])]
    more = [f"And {len(new) - MOST_NAMED:,} more."] if len(new) > MOST_NAMED else []
    one = len(new) == 1
    what_to_do = ONE_TO_DO if one else MANY_TO_DO
    outbox.tell_staff(
        "billing.change_invoice",
        message_id=f"msg_holds_{min(invoice.pk for invoice in new)}",
        event_type=StaffNews.HELD,
        page=PAGE,
        part=PART,
        subject=f"{_named(new[0])} is on hold" if one else f"{counted(len(new), 'invoice')} are on hold",
        text="\n".join([*named, *more, "", f"{what_to_do}\n{address_of(reverse(PAGE))}{PART}\n"]),
    )


def _named(invoice: Invoice) -> str:
    return f"The invoice of {invoice.payer.name} for {invoice.month:%B %Y}"
