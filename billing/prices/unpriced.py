"""Staff are told of usage that is counted and has no price: of each model and line item once for a UTC month of such usage."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.db import connection, transaction
from django.urls import reverse

from accounts.installation.site import address_of
from accounts.pages.words import counted
from accounts.staff.rights import staff_with
from billing.alerts import StaffNews
from billing.models import LineItem
from billing.notices import outbox
from billing.prices.listing import UnpricedRow, UnpricedUsage
from metering import isolation

NEW_SQL: Final = """
WITH found AS (
    SELECT DISTINCT sku.model_id, cost.line_item, date_trunc('month', cost.day::timestamp)::date AS usage_month
    FROM billing_dailycost AS cost
    JOIN metering_sku AS sku ON sku.id = cost.sku_id
    WHERE cost.unit_price IS NULL AND cost.quantity <> 0
)
SELECT found.model_id, model.name, found.line_item, found.usage_month
FROM found JOIN metering_model AS model ON model.id = found.model_id
WHERE NOT EXISTS (SELECT FROM billing_unpricedalert AS told
                  WHERE (told.model_id, told.line_item, told.usage_month)
                      = (found.model_id, found.line_item, found.usage_month))
ORDER BY 1, 3, 4
"""
CLAIM_SQL: Final = """
INSERT INTO billing_unpricedalert (model_id, line_item, usage_month) VALUES (%s, %s, %s)
ON CONFLICT DO NOTHING RETURNING id
"""
TOLD: Final = "billing.change_price"  # a right: who can do something about it
MAX_NAMED: Final = 20
SENT_ONCE: Final = "You get this email once per month of such usage. Set a price of 0 for usage that is free."


@dataclass(frozen=True)
class Kind:
    """Usage of a line item of a model in a UTC month, named by its first day."""

    model_id: int
    model: str
    line_item: int
    usage_month: date

    def __str__(self) -> str:
        return f"{self.usage_month:%Y-%m} {self.model_id}, {self.line_item}"


def check() -> int:
    """Tell staff of usage without a price that they were not told of; returns how many kinds of it are new.

    They go out in one message. Any number of processes may check at once: the alert's row is the claim, and the message
    is written with it. Without anyone to tell, the news waits.
    """
    if not staff_with(TOLD).exists():
        return 0
    with transaction.atomic():
        tried = isolation.each("check_unpriced", _new_kinds(), _claim)
        claimed = [(alert_id, kind) for kind, alert_id in tried if alert_id is not None]
        if claimed:
            new = {(kind.model, LineItem(kind.line_item).label) for _, kind in claimed}
            rows = [row for row in UnpricedUsage()[:] if (row.model, row.line_item) in new]
            if rows:  # a price may have come since
                _tell(rows, message_id=f"msg_unpriced_{claimed[0][0]}")
    return len(claimed)


def _new_kinds() -> list[Kind]:
    with connection.cursor() as cursor:
        cursor.execute(NEW_SQL)
        return [Kind(*row) for row in cursor.fetchall()]


def _claim(kind: Kind) -> int | None:
    """The id of the alert's row; None if somebody else was first."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(CLAIM_SQL, [kind.model_id, kind.line_item, kind.usage_month])
        row = cursor.fetchone()
        return None if row is None else int(row[0])


def _tell(rows: Sequence[UnpricedRow], *, message_id: str) -> None:
    subject = f"{rows[0].model}, {rows[0].line_item}" if len(rows) == 1 else counted(len(rows), "model part")
    outbox.tell_staff(
        TOLD,
        message_id=message_id,
        event_type=StaffNews.UNPRICED,
        page="billing:unpriced",
        subject=f"Usage without a price: {subject}",
        text="\n\n".join(_paragraphs(rows)) + "\n",
    )


def _paragraphs(rows: Sequence[UnpricedRow]) -> Iterator[str]:
    yield "This usage is counted but has no price yet. Once a price is set, it also applies to past days."
    for row in rows[:MAX_NAMED]:
        yield (
            f"{row.model}, {row.line_item}: {row.quantity}, {row.days}, {counted(row.num_organizations, 'organization')}\n"
            f"{address_of(row.price_address)}"
        )
    if len(rows) > MAX_NAMED:
        yield f"And {len(rows) - MAX_NAMED:,} more:\n{address_of(reverse('billing:unpriced'))}"
    yield SENT_ONCE
