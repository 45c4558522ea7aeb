"""Staff are told of items on which a task failed: when one fails for the first time, and when it is given up."""

from collections.abc import Sequence
from typing import Final

from django.db import transaction

from accounts.clock import database_now
from accounts.staff.rights import staff_with
from billing.alerts import StaffNews
from billing.notices import outbox
from metering.models import FailedItem

TOLD: Final = "metering.view_faileditem"  # a right: who finds them in the admin site
MAX_NAMED: Final = 20
EXPLANATION: Final = (
    "Everything else went on. Each item is tried again after longer and longer waits; the worker's log has the tracebacks."
    " The admin site lists all of them under “Failed items”, and lets you try one again."
)


def check() -> int:
    """Tell staff, in one message, of failures that they were not told of; returns how many. Without staff, the news waits."""
    if not staff_with(TOLD).exists():
        return 0
    with transaction.atomic():
        new = list(FailedItem.objects.select_for_update(skip_locked=True).filter(told_at=None).order_by("pk"))
        if new:
            _tell(new)
            FailedItem.objects.filter(pk__in=[failed.pk for failed in new]).update(told_at=database_now())
    return len(new)


def _tell(new: Sequence[FailedItem]) -> None:
    named = [_sentence(failed) for failed in new[:MAX_NAMED]]
    more = [f"and {len(new) - MAX_NAMED} more"] if len(new) > MAX_NAMED else []
    subject = f"{new[0].task} failed on {new[0].item}" if len(new) == 1 else f"{len(new):,} items failed"
    outbox.tell_staff(
        TOLD,
        message_id=f"msg_failed_{new[0].pk}_{new[0].last_failed_at.timestamp():.6f}",
        event_type=StaffNews.FAILED,
        page="overview:state",
        subject=subject,
        text="\n".join([*named, *more, "", EXPLANATION]) + "\n",
    )


def _sentence(failed: FailedItem) -> str:
    state = "given up" if failed.next_attempt_at is None else "tried again"
    return f"{failed.task}, {failed.item}: {failed.last_error} (attempts: {failed.num_attempts}, {state})"
