"""Figure: from the answer 200 until usage is in the rollups, at half of full load, with the real worker and beat.

The delay of a batch runs from its `received_at`, which the database notes just before the commit that precedes the
answer, to the moment when another connection sees it rolled up. So it is a little longer than what a reader waits for.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

import psycopg2
from django.conf import settings
from django.db import connection

from benchmarks.ingest.batches import NUM_CLIENTS, prepare, through_http, warm_up
from benchmarks.load.client import Client
from benchmarks.load.events import BATCH, Template, endless, templates
from benchmarks.load.generate import clear
from benchmarks.load.servers import WEB_PORT, memory_mib, program
from benchmarks.load.together import run_together
from benchmarks.load.world import World
from benchmarks.measure import Figure, percentile
from benchmarks.visible.bursts import measure_bursts, newest_batch
from usage_dashboard.machine.processes import Child
from usage_dashboard.machine.servers import start_redis

WANT_SECONDS: Final = 0.5
POLL_SECONDS: Final = 0.05
LONGEST_WAIT_SECONDS: Final = 60
UNSETTLED_IDS: Final = 500
"""So far below the newest batch id a transaction may still be open that took its id earlier."""
SEEN_SQL: Final = """
SELECT id, extract(epoch FROM clock_timestamp() - received_at)::float8 FROM metering_ingestbatch
WHERE id > %s AND rolled_up_at IS NOT NULL
"""


@dataclass
class Watch:
    """What the watcher saw: each batch's delay, and the memory of web and worker once a second."""

    delays: dict[int, float] = field(default_factory=dict)
    web_mib: list[float] = field(default_factory=list)
    worker_mib: list[float] = field(default_factory=list)


def measure(world: World, *, quick: bool) -> list[Figure]:
    """The figure, over 10 s (quick) or 5 minutes of load; before it that of bursts."""
    seconds = 10.0 if quick else 300.0
    prebuilt = templates(world, 40)
    prepare(prebuilt)
    with ExitStack() as stack:
        stack.callback(start_redis(Path(settings.DATA_DIR)).stop)
        web = stack.enter_context(program("web"))
        warm_up(prebuilt)
        full_rate = median(through_http(prebuilt, 60) for _ in range(3))
        clear()
        worker = stack.enter_context(program("worker"))
        stack.enter_context(program("beat"))
        _wait_for_worker(prebuilt)
        bursts = measure_bursts(prebuilt, repeats=10 if quick else 40)
        rate = full_rate / 2
        num_batches = int(rate / BATCH * seconds / NUM_CLIENTS)
        senders = [partial(_send_paced, prebuilt, n, num_batches, rate) for n in range(NUM_CLIENTS)]
        seen = newest_batch()
        watcher = partial(_watch, connection.get_connection_params(), seen, num_batches * NUM_CLIENTS, web, worker)
        together = run_together([*senders, watcher])
    return [bursts, _figure(together.results, rate=rate, seconds=seconds)]


def _figure(results: list[Any], *, rate: float, seconds: float) -> Figure:
    *late, watch = results
    delays = list(watch.delays.values())
    p95 = percentile(delays, 0.95)
    return Figure(
        name="freshness",
        unit="s p95",
        value=p95,
        limit=None,
        ratio=None,
        want=WANT_SECONDS,
        want_is="at most",
        spread={"value": (min(delays), max(delays))},
        repeats=len(delays),
        notes={
            "events/s sent": rate,
            "seconds of load": seconds,
            "p50 s": median(delays),
            "longest s": max(delays),
            "web MiB": _course(watch.web_mib),
            "worker MiB": _course(watch.worker_mib),
            "senders behind schedule at the end, s": max(late),
        },
    )


def _course(memory: list[float]) -> str:
    return f"{memory[0]:.0f} at the start, {max(memory):.0f} at most, {memory[-1]:.0f} at the end"


def _wait_for_worker(prebuilt: list[Template]) -> None:
    """Until worker and beat do their work: one batch has come through."""
    client = Client(WEB_PORT)
    client.exchange(next(endless(prebuilt, 1 << 30)))
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM metering_ingestbatch WHERE rolled_up_at IS NULL")
            if cursor.fetchone() == (0,):
                return
        time.sleep(POLL_SECONDS)
    raise RuntimeError("The worker did not roll up the first batch.")


def _send_paced(prebuilt: list[Template], sender: int, num_batches: int, rate: float) -> float:
    """Send at this sender's share of the rate; returns how many seconds behind schedule it ended."""
    client, interval = Client(WEB_PORT), NUM_CLIENTS * BATCH / rate
    started = time.monotonic() + interval * sender / NUM_CLIENTS
    due = started
    requests: Iterator[bytes] = endless(prebuilt, (sender + 1) << 26)
    for n in range(num_batches):
        due = started + n * interval
        time.sleep(max(0.0, due - time.monotonic()))
        client.exchange(next(requests))
    return max(0.0, time.monotonic() - due - interval)


def _watch(parameters: dict[str, Any], seen: int, num_batches: int, web: Child, worker: Child) -> Watch:
    """Of the batches after the one with the id `seen`."""
    for name in ("cursor_factory", "context"):
        parameters.pop(name, None)
    watch, floor, sampled_at = Watch(), seen, 0.0
    silent_since = time.monotonic()
    with psycopg2.connect(**parameters) as database, database.cursor() as cursor:
        database.autocommit = True
        while len(watch.delays) < num_batches and time.monotonic() < silent_since + LONGEST_WAIT_SECONDS:
            cursor.execute(SEEN_SQL, [floor])
            for batch, delay in cursor.fetchall():
                if batch not in watch.delays:
                    watch.delays[batch] = delay
                    silent_since = time.monotonic()
            cursor.execute("SELECT coalesce(min(id), 0) FROM metering_ingestbatch WHERE rolled_up_at IS NULL")
            (waiting,) = cursor.fetchone() or (0,)
            newest = max(watch.delays, default=0)
            floor = max(floor, min(waiting or newest, newest) - UNSETTLED_IDS)
            if time.monotonic() > sampled_at + 1:
                sampled_at = time.monotonic()
                watch.web_mib.append(memory_mib(web))
                watch.worker_mib.append(memory_mib(worker))
            time.sleep(POLL_SECONDS)
    if len(watch.delays) < num_batches:
        raise RuntimeError(f"{len(watch.delays)} of {num_batches} batches became visible.")
    return watch
