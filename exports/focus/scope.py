"""What a FOCUS file is about: the days of a payer, and what of them its reader may see by name."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import connection

from accounts.models import Organization
from accounts.periods import Period, month_of
from billing.payer_history import OWNED_SQL
from metering.usage.queries import UsageQuery


@dataclass(frozen=True)
class Scope:
    """The charges of a payer over a range of days.

    Usage is in the file that has its day; everything that is of a whole month (documents, credit, tax, rounding) is in
    the file that has the month's first day. So files of adjoining ranges have every charge once, and a file of whole months
    has whole invoices. People, keys and projects are named in the organizations `seen_ids` alone: one that has left the
    payer since is its own business.
    """

    payer: Organization
    period: Period
    seen_ids: tuple[int, ...]
    complete_through: datetime

    @property
    def months(self) -> Period:
        """The whole months that the days are in."""
        return Period(month_of(self.period.start).start, month_of(self.last_day).end)

    @property
    def last_day(self) -> date:
        return date.fromordinal(self.period.end.toordinal() - 1)

    def usage(self) -> UsageQuery:
        """The usage of all organizations that the payer pays for in any of the months."""
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT DISTINCT organization_id FROM ({OWNED_SQL}) AS owned", self.parameters())
            found = tuple(organization_id for (organization_id,) in cursor.fetchall())
        return UsageQuery(organization_ids=found or (self.payer.pk,), period=self.months)

    def parameters(self) -> dict[str, Any]:
        """The values of all statements about it."""
        return {
            "payer": self.payer.pk,
            "first": self.months.start,
            "end": self.months.end,
            "first_day": self.period.start,
            "end_day": self.period.end,
            "seen_ids": list(self.seen_ids),
            "account_id": self.payer.public_id,
            "account_name": self.payer.name,
            "issuer": settings.INVOICE_SELLER_NAME,
            "complete_through": f"{self.complete_through:%Y-%m-%dT%H:%M:%SZ}",
        }
