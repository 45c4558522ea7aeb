"""Figures: events per second rolled up and rated, beside the bare GROUP BY of the same columns and groups."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from apikeys.routing import ATTRIBUTED
from benchmarks.load.generate import Made, clear, generate
from benchmarks.load.world import World
from benchmarks.measure import Figure, compare
from billing.prices import new_models, rating
from metering.cluster.state import set_local
from metering.measures import MEASURES
from metering.rollups import partitions, run, sums

MILLION: Final = 1_000_000
WANTS: Final = {"rollup_1m": 0.40, "rollup_100k": 0.20}
SPAN: Final = timedelta(hours=1)
SUMS: Final = ", ".join(f"coalesce({sums.FAST}({measure}), 0) AS {measure}" for measure in MEASURES)
# count(groups) needs every column of every group, and sends one row.
LIMIT_SQL: Final = f"""
SELECT count(groups) FROM (
    SELECT
        organization_id, date_bin('1 hour', occurred_at, '2000-01-01 00:00Z') AS hour, user_id,
        CASE WHEN routing & {int(ATTRIBUTED)} = {int(ATTRIBUTED)} THEN api_key_id ELSE 0 END AS api_key_id, sku_id, {SUMS}
    FROM ({{days}}) AS event
    WHERE batch_id BETWEEN %(first_batch)s AND %(last_batch)s
    GROUP BY 1, 2, 3, 4, 5
) AS groups
"""


def measure_million(world: World, *, quick: bool) -> Figure:
    """Runs of 1,000,000 events."""
    return _measure(world, "rollup_1m", num_events=MILLION, repeats=2 if quick else 7, quick=quick)


def measure_hundred_thousand(world: World, *, quick: bool) -> Figure:
    """Runs of 100,000 events."""
    return _measure(world, "rollup_100k", num_events=MILLION // 10, repeats=5 if quick else 15, quick=quick)


def _measure(world: World, name: str, *, num_events: int, repeats: int, quick: bool) -> Figure:
    if num_events > settings.ROLL_UP_MAX_EVENTS:
        raise RuntimeError(f"A run takes {settings.ROLL_UP_MAX_EVENTS} events at most here.")
    clear()
    start = datetime.now(UTC) - SPAN
    # From here on the hours' rows exist (in quick mode most of them), and repeats update them.
    first_events = MILLION // 10 if quick else num_events
    rolled_up(generate(world, num_events=first_events, start=start, span=SPAN))
    limits: list[float] = []
    values: list[float] = []
    for repeat in range(repeats):
        made = generate(world, num_events=num_events, start=start, span=SPAN)
        for measure, results in _order(repeat, limits, values):
            results.append(measure(made))
    notes = {"events per run": num_events, "events stored at the end": first_events + num_events * repeats}
    notes["groups per run"] = _groups(made)
    return compare(name, unit="events/s", values=values, limits=limits, want=WANTS[name], notes=notes)


def _order(repeat: int, limits: list[float], values: list[float]) -> list[tuple[Callable[[Made], float], list[float]]]:
    """In turn the limit and the product go first: whoever does finds rows that nobody has read before."""
    pair: list[tuple[Callable[[Made], float], list[float]]] = [(_grouped, limits), (rolled_up, values)]
    return pair if repeat % 2 else pair[::-1]


def rolled_up(made: Made) -> float:
    """Events per second of the run that takes these, and nothing else."""
    started = time.monotonic()
    num_events = rating.roll_up_and_rate()
    seconds = time.monotonic() - started
    new_models.price_all()
    if num_events != made.num_events:
        raise RuntimeError(f"A run took {num_events} events, not {made.num_events}.")
    return num_events / seconds


def _grouped(made: Made) -> float:
    started = time.monotonic()
    _groups(made)
    return made.num_events / (time.monotonic() - started)


def _groups(made: Made) -> int:
    """The number of groups, with the session settings of a run."""
    with transaction.atomic(), connection.cursor() as cursor:
        set_local(cursor, *run.PLAN)
        days = run.events_of(partitions.between(cursor, made.first, made.last))
        cursor.execute(LIMIT_SQL.format(days=days), {"first_batch": made.first_batch, "last_batch": made.last_batch})
        (found,) = cursor.fetchone()
    assert isinstance(found, int)
    return found
