"""Staff are told of usage that is counted and has no price: of each model and line item once for a UTC month of such usage."""

from collections.abc import Sequence
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from accounts.models import User
from billing import outbox
from billing.models import LineItem
from billing.price_pages import UnpricedRow, unpriced_rows

CLAIM_SQL: Final = """
WITH found AS (
    SELECT DISTINCT sku.model_id, cost.line_item, date_trunc('month', cost.day::timestamp)::date AS usage_month
    FROM billing_dailycost AS cost
    JOIN metering_sku AS sku ON sku.id = cost.sku_id
    WHERE cost.amount IS NULL AND cost.quantity <> 0
),
claimed AS (
    INSERT INTO billing_unpricedalert (model_id, line_item, usage_month)
    SELECT model_id, line_item, usage_month FROM found
    WHERE NOT EXISTS (SELECT FROM billing_unpricedalert AS told
                      WHERE (told.model_id, told.line_item, told.usage_month)
                          = (found.model_id, found.line_item, found.usage_month))
    ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING
    RETURNING id, model_id, line_item
)
SELECT claimed.id, model.name, claimed.line_item
FROM claimed JOIN metering_model AS model ON model.id = claimed.model_id
ORDER BY 1
"""
SENT_ONCE: Final = "This is sent once for each month of such usage. A price of 0 says that it is free."


def check() -> int:
    """Tell staff of usage without a price that they were not told of; returns how many kinds of it are new.

    They go out in one message. Any number of processes may check at once: the alert's row is the claim, and the message
    is written with it. Without anyone to tell, the news waits.
    """
    if not User.objects.filter(is_staff=True, is_active=True).exists():
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(CLAIM_SQL)
        claimed = cursor.fetchall()
        if claimed:
            new = {(model, LineItem(line_item).label) for _, model, line_item in claimed}
            rows = [row for row in unpriced_rows() if (row.model, row.line_item) in new]
            if rows:  # a price may have come since
                _tell(rows, message_id=f"msg_unpriced_{claimed[0][0]}")
    return len(claimed)


def _tell(rows: Sequence[UnpricedRow], *, message_id: str) -> None:
    subject = f"{rows[0].model}, {rows[0].line_item}" if len(rows) == 1 else f"{len(rows)} parts of models"
    paragraphs = [
        "This usage is counted and costs nothing yet. Once it has a price, its past days are charged too.",
        *(
            f"{row.model}, {row.line_item}: {row.quantity}, {row.days}, organizations: {row.num_organizations}\n"
            f"{settings.SITE_ADDRESS}{row.price_address}"
            for row in rows
        ),
        SENT_ONCE,
    ]
    outbox.tell_staff(
        message_id=message_id,
        event_type="usage.unpriced",
        subject=f"Usage without a price: {subject}",
        text="\n\n".join(paragraphs) + "\n",
    )
