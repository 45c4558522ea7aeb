"""The end of a month: every payer's invoice is drafted when it ends and final after the days of grace.

Each payer is one transaction, so a closing that was cut off goes on with the payers that are left, and two closers at
once make one invoice each. A payer on whom it fails stops nobody else: staff are told, and it is tried again by itself.
In the days of grace only those are drafted anew whose draft would be another one (`billing.invoices.drafts`).
A payer whose invoice of the month was voided is billed again with the next month, unless someone closes the month for
that payer by hand.
"""

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, Min, OuterRef, QuerySet
from django.db.models.functions import Substr

from accounts.models import Organization
from accounts.periods import Period, month_of, next_month, parse_month
from billing.invoices import drafts, holds, invoices
from billing.models import DailyCost, Invoice, MonthClose
from billing.payer_history import PAYER
from billing.prices import rerating
from metering import isolation
from metering.models import FailedItem

TASK: Final = "close_month"
PROGRESS_STEP: Final = 20
# Everybody who ever paid, up to that month, for an organization with costs or charges by then.
WAITING_SQL: Final = f"""
SELECT DISTINCT {PAYER}
FROM accounts_organization AS organization
LEFT JOIN billing_payersince AS payer ON payer.organization_id = organization.id AND payer.first_month <= %(month)s
WHERE (
    EXISTS (SELECT FROM billing_dailycost AS cost WHERE cost.organization_id = organization.id AND cost.day < %(end)s)
    OR EXISTS (
        SELECT FROM billing_invoiceline AS line
        WHERE line.organization_id = organization.id AND line.usage_month <= %(month)s
    )
) AND NOT EXISTS (
    SELECT FROM billing_invoice AS invoice
    WHERE invoice.payer_id = {PAYER} AND invoice.month = %(month)s AND invoice.kind = 'invoice'
      AND invoice.state <> 'draft'
)
ORDER BY 1
"""


class MonthNotOverError(ValueError):
    """A month cannot be closed before it has ended."""


@dataclass(frozen=True)
class Closing:
    """One payer's month that is to be closed. `version` is what a draft is made from, if that was asked (`drafts`)."""

    payer: Organization
    month: Period
    version: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.month.start:%Y-%m} {self.payer.slug}"


@dataclass(frozen=True)
class Failure:
    """A payer's month on which the closing failed, and why."""

    closing: Closing
    failed: FailedItem


@dataclass(frozen=True)
class Progress:
    """How far a closing is; `invoice` is the last payer's, None where there was nothing to bill."""

    num_done: int
    num_payers: int
    payer: Organization
    invoice: Invoice | None


def close_ended_months(now: datetime) -> int:
    """Close every month that has ended and is not closed, oldest first, and before that what failed or was held then.

    Returns how many closings succeeded. Staff hear of everything that was held, in one message.
    """
    try:
        again = isolation.do_each(TASK, _left_over(now), partial(_close, now=now))
        return len(again) + sum(1 for month in _open_months(now) for _ in _each_payer(month, now=now))
    finally:  # also of a run that something else ends each time
        holds.tell_staff()


def close_month(month: Period, *, now: datetime, at_once: bool = False) -> Generator[Progress, None, None]:
    """Draft, or after the grace period finalize, every invoice of the month that is not final; yields after each payer.

    Drafts that would be the same again are passed over. So are those on whom it fails, and found in `failures`; with `at_once`
    those that failed before are tried now, and all are drafted. In the end staff hear of what was held. Raises
    MonthNotOverError.
    """
    yield from _each_payer(month, now=now, at_once=at_once)
    holds.tell_staff()


def close_payer(payer: Organization, month: Period, *, now: datetime) -> Invoice | None:
    """The payer's invoice of the month: a draft or, after the days of grace, final or held. None if there is nothing to bill.

    Raises MonthNotOverError, and UnratedError.
    """
    require_over(month, now)
    closing = Closing(payer, month)
    invoice = _close(closing, now=now)
    isolation.forget(TASK, closing)
    holds.tell_staff()
    return invoice


def failed_items() -> QuerySet[FailedItem]:
    """What a closing failed on, the oldest month first, until it succeeds; without payers who are no more."""
    slug = Substr("item", len("2026-10 ") + 1)
    payer = Organization.objects.filter(slug=OuterRef("named"))
    found = FailedItem.objects.filter(task=TASK).annotate(named=slug)
    return found.filter(Exists(payer)).order_by("item")


def failures(items: Iterable[FailedItem] | None = None) -> list[Failure]:
    """The payers and months that these are, or all `failed_items`, in their order. One query for the payers."""
    found = list(failed_items() if items is None else items)
    closings = {str(closing): closing for closing in _named(failed.item for failed in found)}
    return [Failure(closings[failed.item], failed) for failed in found if failed.item in closings]


def is_final(month: Period, now: datetime) -> bool:
    """Whether the days of grace after the month are over."""
    return now >= month.end_at + timedelta(days=settings.INVOICE_GRACE_DAYS)


def require_over(month: Period, now: datetime) -> None:
    """Raises MonthNotOverError before the month's end."""
    if now < month.end_at:
        raise MonthNotOverError(f"{month.start:%B %Y} is not over; it ends on {month.end} at 00:00 UTC.")


def _each_payer(month: Period, *, now: datetime, at_once: bool = False) -> Generator[Progress, None, None]:
    require_over(month, now)
    payer_ids = _waiting(month)
    versions = (
        dict.fromkeys(payer_ids, "") if is_final(month, now) else drafts.changed(payer_ids, month, among_all=at_once)
    )
    MonthClose.objects.get_or_create(month=month.start)
    found = MonthClose.objects.filter(month=month.start)
    number = num_alike = len(payer_ids) - len(versions)
    found.update(num_payers=len(payer_ids), num_payers_done=num_alike)
    done = isolation.each(TASK, _closings(versions, month), partial(_close, now=now), at_once=at_once)
    for number, (closing, invoice) in enumerate(done, start=num_alike + 1):
        yield Progress(number, len(payer_ids), closing.payer, invoice)
        if number % PROGRESS_STEP == 0:
            found.update(num_payers_done=number)
    found.update(num_payers_done=number)
    if is_final(month, now):
        found.update(finalized_at=now)
        drafts.forget(month)


def _close(closing: Closing, *, now: datetime) -> Invoice | None:
    if is_final(closing.month, now):
        return _finalize(closing, now)
    with transaction.atomic():
        invoice = invoices.draft(closing.payer, closing.month)
        drafts.remember(closing.payer.pk, closing.month, closing.version)
    return invoice


def _finalize(closing: Closing, now: datetime) -> Invoice | None:
    """What a change of prices left to be rated is rated first. Raises UnratedError where that fails: it is tried again."""
    try:
        return invoices.finalize(closing.payer, closing.month, now)
    except invoices.UnratedError:
        rerating.re_rate_waiting()
        return invoices.finalize(closing.payer, closing.month, now)


def _waiting(month: Period) -> list[int]:
    """The payers whose invoice of the month is not final."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING_SQL, {"month": month.start, "end": month.end})
        return [payer_id for (payer_id,) in cursor.fetchall()]


def _closings(versions: Mapping[int, str], month: Period) -> list[Closing]:
    payers = Organization.objects.in_bulk(versions)
    return [Closing(payers[payer_id], month, version) for payer_id, version in versions.items()]


def _left_over(now: datetime) -> list[Closing]:
    """What failed, and what is held: its cause may be gone. The oldest month first, because later ones wait for it."""
    failed = [failure.closing for failure in failures()]
    held = Invoice.objects.filter(held_at__isnull=False).select_related("payer")
    all_of_them = {*failed, *(Closing(invoice.payer, month_of(invoice.month)) for invoice in held)}
    return sorted((closing for closing in all_of_them if closing.month.end_at <= now), key=str)


def _named(names: Iterable[str]) -> list[Closing]:
    """The closings that go by these names, as far as there are such payers."""
    months = [(parse_month(month), slug) for month, _, slug in (name.partition(" ") for name in names)]
    payers_by_slug = {payer.slug: payer for payer in Organization.objects.filter(slug__in=[slug for _, slug in months])}
    return [Closing(payers_by_slug[slug], month) for month, slug in months if month and slug in payers_by_slug]


def _open_months(now: datetime) -> list[Period]:
    """From the month after the last that was closed, or from the first with costs, to the last that has ended."""
    last = MonthClose.objects.filter(finalized_at__isnull=False).order_by("-month").first()
    first_day = next_month(month_of(last.month)).start if last else DailyCost.objects.aggregate(day=Min("day"))["day"]
    months: list[Period] = []
    month = month_of(first_day) if first_day else None
    while month is not None and month.end_at <= now:
        months.append(month)
        month = next_month(month)
    return months
