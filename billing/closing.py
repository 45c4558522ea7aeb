"""The end of a month: every payer's invoice is drafted when it ends and final after the days of grace.

Each payer is one transaction, so a closing that was cut off goes on with the payers that are left, and two closers at
once make one invoice each. A payer whose invoice of the month was voided is billed again with the next month, unless
someone closes the month for that payer by hand.
"""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connection
from django.db.models import Min

from accounts.models import Organization
from billing import invoices, payers
from billing.models import DailyCost, Invoice, MonthClose
from metering.periods import Period, month_of, next_month

PROGRESS_STEP: Final = 20
WAITING_SQL: Final = """
SELECT DISTINCT decided.payer_id
FROM billing_payermonth AS decided
WHERE decided.month <= %(month)s AND NOT EXISTS (
    SELECT FROM billing_invoice AS invoice
    WHERE invoice.payer_id = decided.payer_id AND invoice.month = %(month)s AND invoice.kind = 'invoice'
      AND invoice.state <> 'draft'
)
ORDER BY 1
"""


class MonthNotOverError(ValueError):
    """A month cannot be closed before it has ended."""


@dataclass(frozen=True)
class Progress:
    """How far a closing is; `invoice` is the last payer's, None where there was nothing to bill."""

    num_done: int
    num_payers: int
    payer: Organization
    invoice: Invoice | None


def close_ended_months(now: datetime) -> int:
    """Close every month that has ended and is not closed, oldest first; returns the number of payers that it looked at."""
    return sum(1 for month in _open_months(now) for _ in close_month(month, now=now))


def close_month(month: Period, *, now: datetime) -> Generator[Progress, None, None]:
    """Draft, or after the days of grace finalize, every invoice of the month that is not final; yields after each payer.

    Raises MonthNotOverError.
    """
    require_over(month, now)
    payers.decide(month)
    waiting = _waiting_payers(month)
    MonthClose.objects.get_or_create(month=month.start)
    found = MonthClose.objects.filter(month=month.start)
    found.update(num_payers=len(waiting), num_payers_done=0)
    for number, payer_id in enumerate(waiting, start=1):
        payer = Organization.objects.get(pk=payer_id)
        yield Progress(number, len(waiting), payer, _close(payer, month, now))
        if number % PROGRESS_STEP == 0 or number == len(waiting):
            found.update(num_payers_done=number)
    if is_final(month, now):
        found.update(finalized_at=now)


def close_payer(payer: Organization, month: Period, *, now: datetime) -> Invoice | None:
    """The payer's invoice of the month: a draft or, after the days of grace, final. None if there is nothing to bill."""
    require_over(month, now)
    payers.decide(month)
    return _close(payer, month, now)


def is_final(month: Period, now: datetime) -> bool:
    """Whether the days of grace after the month are over."""
    return now >= month.end_at + timedelta(days=settings.INVOICE_GRACE_DAYS)


def require_over(month: Period, now: datetime) -> None:
    """Raises MonthNotOverError before the month's end."""
    if now < month.end_at:
        raise MonthNotOverError(f"{month.start:%B %Y} is not over; it ends on {month.end} at 00:00 UTC.")


def _close(payer: Organization, month: Period, now: datetime) -> Invoice | None:
    return invoices.finalize(payer, month, now) if is_final(month, now) else invoices.draft(payer, month)


def _waiting_payers(month: Period) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(WAITING_SQL, {"month": month.start})
        return [payer_id for (payer_id,) in cursor.fetchall()]


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
