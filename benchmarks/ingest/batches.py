"""Figure: events per second through HTTP in batches of 1,000, beside bare COPY of the same rows."""

import io
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any, Final

import psycopg2
from django.db import connection

from benchmarks.load.client import send_batches
from benchmarks.load.events import BATCH, COLUMNS, Template, requests, tags, templates
from benchmarks.load.servers import WEB_PORT, cpu_seconds, program
from benchmarks.load.together import run_together
from benchmarks.load.world import World
from benchmarks.measure import Figure, compare, in_turn
from metering.rollups import partitions
from usage_dashboard.machine.processes import Child

NUM_CLIENTS: Final = 4
WANT: Final = 0.45
BARE_TABLE: Final = "bare_event"
MAKE_BARE_TABLE: Final = f"""
CREATE TABLE IF NOT EXISTS {BARE_TABLE} (LIKE metering_usageevent INCLUDING ALL) PARTITION BY RANGE (occurred_at);
CREATE TABLE IF NOT EXISTS {BARE_TABLE}_1 PARTITION OF {BARE_TABLE} FOR VALUES FROM (MINVALUE) TO (MAXVALUE)
"""


def measure(world: World, *, quick: bool) -> Figure:
    """The figure; each repeat stores the same number of events by each way, into empty tables."""
    num_batches = 80 if quick else 600
    prebuilt = templates(world, 40)
    prepare(prebuilt)
    texts = [prebuilt[n % len(prebuilt)].rows(next(tags), batch_id=n) for n in range(num_batches)]
    with program("web") as web:
        warm_up(prebuilt)
        cpu: list[float] = []
        results = in_turn(
            {
                "one connection": partial(bare_copy, texts, 1),
                "product": partial(_through_http, web, prebuilt, num_batches, cpu),
                "two connections": partial(bare_copy, texts, 2),
            },
            repeats=3 if quick else 7,
        )
    one, two = results["one connection"], results["two connections"]
    notes = {
        "events per repeat": num_batches * BATCH,
        "bare COPY, one connection": median(one),
        "bare COPY, two connections": median(two),
        "web: µs of processor time per event": round(median(cpu), 2),
    }
    limits = one if median(one) > median(two) else two
    return compare("ingest_batches", unit="events/s", values=results["product"], limits=limits, want=WANT, notes=notes)


def prepare(prebuilt: list[Template]) -> None:
    """The table for bare COPY, and the partitions that the events need."""
    partitions.ensure({sample.at.date() for template in prebuilt for sample in template.samples})
    with connection.cursor() as cursor:
        cursor.execute(MAKE_BARE_TABLE)


def warm_up(prebuilt: list[Template], *, port: int = WEB_PORT) -> None:
    """Let every thread of the server connect and learn the keys."""
    run_together([partial(send_batches, port, requests(prebuilt, 3), num_events=BATCH) for _ in range(16)])


def empty_tables() -> None:
    """The same start for each way: empty tables, and nothing left to write back."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE metering_usageevent, metering_ingestbatch, {BARE_TABLE}")
        cursor.execute("CHECKPOINT")


def through_http(prebuilt: list[Template], num_batches: int, *, port: int = WEB_PORT, batch: int = BATCH) -> float:
    """Events per second with NUM_CLIENTS clients, each with a connection of its own, in batches of so many."""
    empty_tables()
    todo = requests(prebuilt, num_batches)
    together = run_together(
        [partial(send_batches, port, todo[n::NUM_CLIENTS], num_events=batch) for n in range(NUM_CLIENTS)]
    )
    _check(num_batches * batch)
    return num_batches * batch / together.seconds


def bare_copy(texts: list[bytes], num_connections: int) -> float:
    """Events per second by COPY alone: the same batches, each committed."""
    empty_tables()
    parameters = connection.get_connection_params()
    copiers: list[Callable[[], Any]] = [
        partial(_copy_all, parameters, texts[n::num_connections]) for n in range(num_connections)
    ]
    return len(texts) * BATCH / run_together(copiers).seconds


def _through_http(web: Child, prebuilt: list[Template], num_batches: int, cpu: list[float]) -> float:
    before = cpu_seconds(web)
    rate = through_http(prebuilt, num_batches)
    cpu.append((cpu_seconds(web) - before) * 1e6 / (num_batches * BATCH))
    return rate


def _copy_all(parameters: dict[str, Any], texts: list[bytes]) -> None:
    parameters.pop("cursor_factory", None)
    parameters.pop("context", None)
    database = psycopg2.connect(**parameters)
    with database.cursor() as cursor:
        for text in texts:
            cursor.copy_expert(f"COPY {BARE_TABLE} ({COLUMNS}) FROM STDIN", io.BytesIO(text), 1 << 20)
            database.commit()
    database.close()


def _check(num_events: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM metering_usageevent")
        (stored,) = cursor.fetchone()
    if stored != num_events:
        raise RuntimeError(f"{stored} events are stored, not {num_events}.")
