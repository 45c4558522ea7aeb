"""Proof of every layer from raw events to invoices, and repair of those up to cost, on any range of days.

Ingest goes on meanwhile.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from accounts.clock import database_now
from accounts.periods import Period, month_of
from billing.alerts import StaffNews
from billing.budgets import looks
from billing.changes import costs
from billing.invoices import proof as billed_proof
from billing.notices import outbox
from billing.prices import rating
from metering import isolation
from metering.models import Verification
from metering.rollups import proof
from metering.rollups import run as rollups
from metering.rollups.proof import Drift

logger = logging.getLogger(__name__)
TASK: Final = "verify"
MAX_DIFFERENCES: Final = 100
COST_COLUMNS: Final = "organization_id, day, sku_id, line_item, quantity, unit_price, amount, price_id"
EXPECTED_COST: Final = rating.cost_of(rating.ALL_USAGE, "usage.day = %(first_day)s")
STORED_COST: Final = f"SELECT {COST_COLUMNS} FROM billing_dailycost WHERE day = %(first_day)s"


REPAIRS: Final = (
    "`manage.py rebuild_rollups --from … --to …` computes rollups and costs of these days again.",
    "Final documents stay as they are: void a wrong one, and its month is billed again.",
)


class RawEventsGoneError(Exception):
    """A day's raw events were dropped, so that its rollups cannot be computed again."""


def prove(days: Sequence[Period]) -> Iterator[Drift]:
    """Compare raw = hourly = daily = organization = cost for each day, and for its month days = month, cost = billed =
    invoice and credit = grants, each in one consistent view of the database."""
    for day in days:
        yield from _prove_day(day)
    for month in _months_of(days):
        yield from _prove_month(month)


def _prove_day(day: Period) -> list[Drift]:
    with proof.one_view() as cursor:
        drifts = list(proof.prove_day(cursor, day))
        return [*drifts, proof.compare(cursor, day, "organization = cost", EXPECTED_COST, STORED_COST)]


def _prove_month(month: Period) -> list[Drift]:
    with proof.one_view() as cursor:
        return [*proof.prove_month(cursor, month), *billed_proof.prove_month(cursor, month)]


def _months_of(days: Sequence[Period]) -> list[Period]:
    return sorted({month_of(day.start) for day in days})


def rebuild(days: Iterable[Period]) -> Iterator[Period]:
    """Compute the rollups and the cost of each day again from its raw events; yields each day when it is committed.

    After each day it rolls up what waits.

    Raises RawEventsGoneError for a day whose raw events are not kept any more, before anything of that day is touched.
    """
    kept = set(proof.days_with_events())
    for day in days:
        if day not in kept:
            raise RawEventsGoneError(f"The raw events of {day.start} are not here; its rollups are left as they are.")
        with transaction.atomic(), connection.cursor() as cursor:
            rollups.lock(cursor, wait=True)
            touched = rollups.rebuild_day(cursor, day)
            costs.note(cursor, "billing_dailycost WHERE day = %s", [day.start])
            cursor.execute("DELETE FROM billing_dailycost WHERE day = %s", [day.start])
            look = rating.rate(cursor, touched)
        looks.take(look)
        rating.roll_up_and_rate()  # the worker does not get the lock while day follows upon day
        yield day


def prove_and_store() -> Verification:
    """Prove every day whose raw events are kept, and store the result with an alarm to staff if anything differs."""
    days = proof.days_with_events()
    run = Verification.objects.create(
        started_at=database_now(),
        first_day=days[0].start if days else None,
        last_day=days[-1].start if days else None,
    )
    for drift in _prove_all(days):
        run.num_rows += drift.num_rows
        run.num_different += drift.num_different
        if drift.num_different and len(run.differences) < MAX_DIFFERENCES:
            run.differences.append([drift.period.start.isoformat(), drift.layer, drift.num_different])
    with transaction.atomic():
        run.finished_at = database_now()
        run.save()
        if run.num_different:
            _tell(run)
    return run


def _prove_all(days: Sequence[Period]) -> Iterator[Drift]:
    """As `prove`; a day or month that cannot be compared is tried again the next night, and staff are told."""
    for _, drifts in isolation.each(TASK, days, _prove_day, name=lambda day: f"day {day.start}", at_once=True):
        yield from drifts
    months = isolation.each(
        TASK, _months_of(days), _prove_month, name=lambda month: f"month {month.start}", at_once=True
    )
    for _, drifts in months:
        yield from drifts


def _tell(run: Verification) -> None:
    lines = [f"{day}  {layer}: different rows: {number}" for day, layer, number in run.differences]
    logger.error("The layers from raw events to invoices differ: %s", "; ".join(lines))
    outbox.tell_staff(
        "metering.view_verification",
        message_id=f"msg_proof_{run.pk}",
        event_type=StaffNews.PROOF,
        page="overview:state",
        subject=f"{settings.BRAND.name}: the layers from raw events to invoices differ",
        text="\n".join([*lines, "", *REPAIRS]) + "\n",
    )
