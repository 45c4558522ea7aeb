"""The work itself: is everything counted, priced, proved, sent and backed up?"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import connection

from accounts.clock import database_now
from accounts.pages.words import counted
from billing.prices.listing import UnpricedUsage
from metering.models import FailedItem
from metering.rollups.partitions import DAYS_AHEAD, partition_name
from usage_dashboard.doctor.findings import Finding, fine, note, wrong
from usage_dashboard.doctor.surroundings import is_local
from usage_dashboard.models import Backup
from usage_dashboard.monitoring.readings import MOST_COUNTED, read

MOST_HOURS_WITHOUT_PROOF: Final = 36
MOST_OVERDUE_SECONDS: Final = 3600.0
MAKES_TABLES: Final = "See the worker: it makes them every hour."
PROVES_AND_MENDS: Final = (
    "Run manage.py verify_rollups, then rebuild_rollups --from DAY --to DAY-AFTER for what it names."
)


def partitions() -> Iterator[Finding]:
    """Tables for the events of today and the days to come, so that the first events of a day need not make theirs."""
    today = database_now().date()
    names = [partition_name(today + timedelta(days=n)) for n in range(DAYS_AHEAD)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NULL",
            [names],
        )
        (num_missing,) = cursor.fetchone()
    if num_missing:
        days = counted(num_missing, "day")
        yield note(f"There is no table for the events of {days} to come: the first of each makes it.", MAKES_TABLES)
    else:
        yield fine("There are tables for the events of the next days.")


def readings() -> Iterator[Finding]:
    """What `/metrics` measures: lag, messages, proof."""
    found = read()
    if found.lag_seconds > settings.READY_MAX_LAG_SECONDS:
        yield wrong(
            f"Rollups are {found.lag_seconds:,.0f} s behind.",
            "See the worker and its log.",
        )
    else:
        yield fine("Rollups keep up.")
    for each in found.deliveries:
        if each.overdue_seconds > MOST_OVERDUE_SECONDS:
            waiting = min(each.num_new + each.num_tried, MOST_COUNTED)
            yield wrong(
                f"{counted(waiting, each.kind)} have waited for more than an hour.", "See deliveries and its log."
            )
    proof, now = found.proof, database_now()
    if proof is None:
        yield note("The sums have not been proved yet; that is done at 03:30 UTC.", "Or run manage.py verify_rollups.")
    elif proof.num_different:
        yield wrong(
            f"The last proof found {counted(proof.num_different, 'row')} that differ.",
            PROVES_AND_MENDS,
        )
    elif proof.finished_at and now - proof.finished_at > timedelta(hours=MOST_HOURS_WITHOUT_PROOF):
        yield wrong(
            f"The sums were last proved on {proof.finished_at:%B %d}.",
            "See beat and the worker.",
        )
    else:
        yield fine("The sums were proved, without a difference.")


def failed_items() -> Iterator[Finding]:
    given_up = FailedItem.objects.filter(next_attempt_at__isnull=True).count()
    if given_up:
        yield wrong(
            f"What failed for days was given up: {counted(given_up, 'item')}.",
            "See “Failed items” under /admin/.",
        )


def prices() -> Iterator[Finding]:
    num_unpriced = len(UnpricedUsage())
    if num_unpriced:
        yield wrong(
            f"Usage of {counted(num_unpriced, 'model part')} has no price: it is not billed.",
            "See the staff page Prices.",
        )
    else:
        yield fine("All usage has a price.")


def backups() -> Iterator[Finding]:
    if not settings.BACKUP_MAX_AGE_HOURS:
        return
    last = Backup.objects.order_by("-as_of").first()
    remedy = "Run manage.py backup each night; BACKUP_MAX_AGE_HOURS=0 if something else backs PostgreSQL up."
    if last is None:
        yield (note if is_local() else wrong)("No backup has been made.", remedy)
    elif database_now() - last.as_of > timedelta(hours=settings.BACKUP_MAX_AGE_HOURS):
        yield wrong(f"The last backup is of {last.as_of:%B %d, %H:%M} UTC.", remedy)
    else:
        yield fine(f"The last backup is of {last.as_of:%B %d, %H:%M} UTC.")
