"""Figures: floods at full speed, until all of their events are counted, beside as many events of the current second.

A flood of one past minute is what a gateway sends that was cut off; in one of history each batch is of an hour of its own, so
that nearly every event makes rows. FLOOD_EVENTS chooses another size.
"""

import os
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import connection

from benchmarks.ingest.batches import NUM_CLIENTS, prepare, warm_up
from benchmarks.load.client import Client
from benchmarks.load.events import BATCH, Template, templates
from benchmarks.load.generate import clear
from benchmarks.load.servers import WEB_PORT, program
from benchmarks.load.together import run_together
from benchmarks.load.world import World
from benchmarks.measure import Figure, compare
from metering.rollups import partitions
from usage_dashboard.machine.servers import start_redis

WANT_OF_A_MINUTE: Final = 0.7
WANT_OF_HISTORY: Final = 80_000.0
DAYS: Final = 55
POLL_SECONDS: Final = 0.25
LONGEST_SECONDS: Final = 800
COUNTED_SQL: Final = """
SELECT
    coalesce(sum(num_events) FILTER (WHERE rolled_up_at IS NOT NULL), 0),
    coalesce(extract(epoch FROM clock_timestamp() - min(received_at) FILTER (WHERE rolled_up_at IS NULL)), 0)::float8
FROM metering_ingestbatch
"""
TimeOfBatch = Callable[[random.Random], datetime]


@dataclass(frozen=True, slots=True)
class Flood:
    """Seconds from the first request until all was answered and until all was counted; how old what waited was, meanwhile."""

    num_events: int
    answered_s: float
    counted_s: float
    lags_s: list[float]

    @property
    def rate(self) -> float:
        return self.num_events / self.counted_s

    @property
    def notes(self) -> dict[str, object]:
        half = len(self.lags_s) // 2
        return {
            "events": self.num_events,
            "events/s until answered": self.num_events / self.answered_s,
            "longest lag of the first half, s": max(self.lags_s[:half]),
            "longest lag of the second half, s": max(self.lags_s[half:]),
        }


def measure(world: World, *, quick: bool) -> list[Figure]:
    """Three floods of the same size, each into empty tables."""
    num_events = int(os.environ.get("FLOOD_EVENTS", "200_000" if quick else "10_000_000"))
    prebuilt = templates(world, 40)
    prepare(prebuilt)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    partitions.ensure(today.date() - timedelta(days=n) for n in range(DAYS + 1))
    minute = today - timedelta(hours=7)
    flood = partial(_flood, prebuilt, num_events)
    usual = flood(lambda _: datetime.now(UTC))
    past = flood(lambda rng: minute + timedelta(seconds=rng.randrange(60)))
    history = flood(lambda rng: today - timedelta(hours=rng.randrange(1, DAYS * 24)))
    return [
        compare(
            "flood_of_a_minute",
            unit="events/s",
            values=[past.rate],
            limits=[usual.rate],
            want=WANT_OF_A_MINUTE,
            notes={**past.notes, **{f"usual: {name}": note for name, note in usual.notes.items()}},
        ),
        Figure(
            name="flood_of_history",
            unit="events/s",
            value=history.rate,
            limit=None,
            ratio=None,
            want=WANT_OF_HISTORY,
            want_is="at least",
            spread={"value": (history.rate, history.rate)},
            repeats=1,
            notes={**history.notes, "of the usual": history.rate / usual.rate},
        ),
    ]


def _flood(prebuilt: list[Template], num_events: int, time_of: TimeOfBatch) -> Flood:
    clear()
    with ExitStack() as stack:
        stack.callback(start_redis(Path(settings.DATA_DIR)).stop)
        for name in ("web", "worker", "beat"):
            stack.enter_context(program(name))
        warm_up(prebuilt)
        clear()
        share = num_events // BATCH // NUM_CLIENTS
        senders = [partial(_send, prebuilt, n, share, time_of) for n in range(NUM_CLIENTS)]
        sent = share * NUM_CLIENTS * BATCH
        together = run_together([*senders, partial(_watch, sent)])
    *answered, lags = together.results
    return Flood(sent, max(answered), together.seconds, lags)


def _send(prebuilt: list[Template], sender: int, num_batches: int, time_of: TimeOfBatch) -> float:
    """Returns the seconds that it took."""
    client, rng, started = Client(WEB_PORT), random.Random(sender), time.monotonic()
    for n in range(num_batches):
        client.exchange(prebuilt[n % len(prebuilt)].tagged_at((sender + 1 << 26) + n, time_of(rng)))
    return time.monotonic() - started


def _watch(num_events: int) -> list[float]:
    """How old the oldest batch was that waited, each time it was looked at, until so many events were counted."""
    lags, deadline = [], time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(COUNTED_SQL)
            counted, lag = cursor.fetchone()
        lags.append(float(lag))
        if counted == num_events:
            return lags
        time.sleep(POLL_SECONDS)
    raise RuntimeError(f"{counted} of {num_events} events were counted in {LONGEST_SECONDS} s.")
