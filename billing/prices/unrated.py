"""Costs that do not have their prices yet: a change holds at once, its days are rated one by one, and meanwhile no invoice is
issued over them.

So that no change comes between that question and the invoice, changes are made alone, and invoices issued side by side. Who
takes several locks takes the rows of organizations first, in the order of their ids, then that of rollups
(`metering.rollups.run`), then the one here, then a payer's (`billing.invoices.balance`).
"""

from typing import Any, Final

from django.db import connection

from accounts.installation import time_limits
from accounts.periods import Period
from billing.payer_history import BEGINNING, OWNED_SQL

CHANGES_LOCK: Final = 0x5553_4147_4509  # an advisory lock's key: any number that nothing else here uses
UNRATED_SQL: Final = f"""
SELECT EXISTS (
    SELECT FROM billing_pricechange AS change CROSS JOIN ({OWNED_SQL}) AS owned
    WHERE change.finished_at IS NULL AND EXISTS (
        SELECT FROM billing_costadjustment AS adjustment
        WHERE adjustment.price_change_id = change.id AND adjustment.organization_id = owned.organization_id
          AND adjustment.day >= owned.first_month AND adjustment.day < owned.end_month
    )
)
"""


def lock_changes(cursor: Any) -> None:
    """Alone with prices and payers until the transaction ends, which may change them: no invoice is issued meanwhile."""
    time_limits.take_long(cursor)
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CHANGES_LOCK])


def hold_changes() -> None:
    """Nobody changes prices or payers until the transaction ends, which may issue an invoice."""
    with connection.cursor() as cursor:
        time_limits.take_long(cursor)
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [CHANGES_LOCK])


def has_unrated(payer_id: int, month: Period) -> bool:
    """Whether usage that the payer pays for, to the end of the month, is still to be rated again."""
    with connection.cursor() as cursor:
        cursor.execute(UNRATED_SQL, {"payer": payer_id, "first": BEGINNING, "end": month.end})
        (found,) = cursor.fetchone()
    return bool(found)
