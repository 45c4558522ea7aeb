"""Staff are told when rollups fall behind: once in an hour of the clock, as long as that lasts."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from accounts.pages.words import counted
from billing.alerts import StaffNews
from billing.notices import outbox
from metering.rollups.freshness import complete_through

TOLD: Final = "metering.view_ingestcount"  # a right: who sees the state of the installation
EXPLANATION: Final = (
    "Events are stored, and nothing is lost; pages, budgets and webhooks know nothing of them until they are rolled up."
    " See the worker and its log; manage.py doctor says more."
)


def check(now: datetime) -> bool:
    """Tell staff if rollups are more than READY_MAX_LAG_SECONDS behind; returns whether they are. It may run twice."""
    behind = now - complete_through()
    if behind <= timedelta(seconds=settings.READY_MAX_LAG_SECONDS):
        return False
    minutes = counted(max(1, round(behind.total_seconds() / 60)), "minute")
    outbox.tell_staff(
        TOLD,
        message_id=f"msg_behind_{now:%Y%m%d%H}",
        event_type=StaffNews.BEHIND,
        subject=f"Rollups are {minutes} behind",
        text=f"Rollups are {minutes} behind: the oldest events that wait came in at {now - behind:%H:%M:%S} UTC."
        f"\n\n{EXPLANATION}\n",
        page="overview:state",
    )
    return True
