"""Figure: from the first byte of a burst until all of it is visible, on a system that was idle before."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median
from typing import Final

from django.db import connection

from benchmarks.ingest.batches import NUM_CLIENTS
from benchmarks.load.client import Client
from benchmarks.load.events import BATCH, Template
from benchmarks.load.servers import WEB_PORT
from benchmarks.load.wait import until
from benchmarks.measure import Figure, percentile

WANT_SECONDS: Final = 0.2
FIRST_TAG: Final = 7 << 26
BETWEEN_SECONDS: Final = (1.0, 2.0)
"""At random: no turn by the clock is met always, or never."""
POLL_SECONDS: Final = 0.005
LONGEST_WAIT_SECONDS: Final = 30
VISIBLE_SQL: Final = """
SELECT coalesce(sum(num_events) FILTER (WHERE rolled_up_at IS NOT NULL), 0) FROM metering_ingestbatch WHERE id > %s
"""


def measure_bursts(prebuilt: list[Template], *, repeats: int) -> Figure:
    """4 clients send a batch of 1,000 events each at once; worker and web of the product run."""
    rng = random.Random(3)
    answered, visible = [], []
    with ThreadPoolExecutor(NUM_CLIENTS) as pool:
        clients = [Client(WEB_PORT) for _ in range(NUM_CLIENTS)]
        for burst in range(repeats):
            time.sleep(rng.uniform(*BETWEEN_SECONDS))
            tags = range(FIRST_TAG + burst * NUM_CLIENTS, FIRST_TAG + (burst + 1) * NUM_CLIENTS)
            requests = [prebuilt[tag % len(prebuilt)].tagged_now(tag) for tag in tags]
            newest = newest_batch()
            started = time.monotonic()
            list(pool.map(Client.exchange, clients, requests))
            answered.append(time.monotonic() - started)
            seen = partial(_all_visible, newest)
            if not until(seen, timeout_seconds=LONGEST_WAIT_SECONDS, every_seconds=POLL_SECONDS):
                raise RuntimeError("A burst did not become visible.")
            visible.append(time.monotonic() - started)
    return Figure(
        name="freshness_burst",
        unit="s p95",
        value=percentile(visible, 0.95),
        limit=None,
        ratio=None,
        want=WANT_SECONDS,
        want_is="at most",
        spread={"value": (min(visible), max(visible))},
        repeats=repeats,
        notes={
            "events in a burst": NUM_CLIENTS * BATCH,
            "p50 s": median(visible),
            "until all are answered, p50 s": median(answered),
        },
    )


def newest_batch() -> int:
    """The id of the last batch that was stored."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM metering_ingestbatch")
        (found,) = cursor.fetchone()
    return int(found)


def _all_visible(newest: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(VISIBLE_SQL, [newest])
        (num_events,) = cursor.fetchone()
    return int(num_events) == NUM_CLIENTS * BATCH
