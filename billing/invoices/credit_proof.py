"""Proof of credit: what the documents of a payer apply is what the payer's grants pay of all that these documents charge.

A credit note takes its invoice's credit back as it was, which may not be what the grants pay of the rest: that is mended by
the payer's next invoice. Until then their documents up to the last invoice are compared.
"""

from typing import Final

from django.db.models import Exists, OuterRef, Q

from accounts.periods import Period
from billing.invoices.billed import charged_days
from billing.invoices.credits import ZERO, pay, used_by
from billing.invoices.grants import pure
from billing.invoices.invoices import applied_credit
from billing.models import CreditApplication, CreditGrant, Invoice
from metering.rollups.proof import Drift

LAYER: Final = "credit = grants"


def prove_month(month: Period) -> Drift:
    """Compare the credit of every payer who has a final document of the month. Rows are grants."""
    num_grants = num_different = 0
    for payer_id in _payers_with_credit(month):
        grants = list(CreditGrant.objects.filter(organization=payer_id))
        num_grants += len(grants)
        different = _num_different(payer_id, grants)
        num_different += different and _num_different_before_notes(payer_id, grants, now=different)
    return Drift(month, LAYER, num_grants, num_different)


def _payers_with_credit(month: Period) -> list[int]:
    grants = CreditGrant.objects.filter(organization=OuterRef("payer"))
    applications = CreditApplication.objects.filter(invoice__payer=OuterRef("payer"))
    documents = Invoice.objects.filter(month=month.start).exclude(state=Invoice.State.DRAFT)
    with_credit = documents.filter(Q(Exists(grants)) | Q(Exists(applications)))
    return list(with_credit.values_list("payer", flat=True).distinct().order_by("payer"))


def _num_different(payer_id: int, grants: list[CreditGrant], *, last_place: int | None = None) -> int:
    """How many grants pay something else on the documents than they should."""
    used = used_by(pay(charged_days(payer_id, last_place=last_place), [pure(grant) for grant in grants]))
    applied = applied_credit(payer_id, last_place=last_place)
    return sum(used.get(grant, ZERO) != applied.get(grant, ZERO) for grant in used.keys() | applied.keys())


def _num_different_before_notes(payer_id: int, grants: list[CreditGrant], *, now: int) -> int:
    """The same for the documents up to the last invoice, by the grants that there were before the notes that follow it; `now`
    where no note follows."""
    documents = Invoice.objects.filter(payer=payer_id, place__isnull=False).order_by("place")
    last = documents.filter(kind=Invoice.Kind.INVOICE).last()
    note = last and documents.filter(place__gt=last.place).first()
    if last is None or note is None:
        return now
    then = [grant for grant in grants if grant.created_at <= note.created_at]
    return _num_different(payer_id, then, last_place=last.place)
