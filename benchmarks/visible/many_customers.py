"""Figures: a simulated hour of thousands of customers, each of whose keys is used every minute, with web, worker and beat.

Minutes follow each other without a pause, so the load is what the machine takes and not what it must. MANY_CUSTOMERS and
MANY_MINUTES choose another size (10,000 customers of 20 keys and 60 minutes; quick: 300 and 6); batches are full, so customers
come in fifties.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import psutil
from django.conf import settings
from django.db import connection
from django.test import Client

from accounts.clock import database_now
from benchmarks.ingest.batches import NUM_CLIENTS
from benchmarks.load import population
from benchmarks.load.client import post_head, send_batches
from benchmarks.load.events import BATCH, PATH
from benchmarks.load.generate import clear
from benchmarks.load.population import MODELS, Customers
from benchmarks.load.servers import HOST, WEB_PORT, cpu_seconds, memory_mib, program
from benchmarks.load.together import run_together
from benchmarks.load.wait import until
from benchmarks.load.world import World
from benchmarks.measure import Figure, compare, percentile
from usage_dashboard.machine.preparation import collect_static
from usage_dashboard.machine.servers import start_redis

DAYS: Final = 45
VISITED: Final = 10
PAGES: Final = ("activity", "cost")
LONGEST_LAG_SECONDS: Final = 300
WANT_MILLISECONDS: Final = 50.0
WANT_FLAT: Final = 1.3


@dataclass(frozen=True, slots=True)
class Minute:
    """What a minute took. `lag_s` is from the last answer until all of it is counted; `cpu` is of processor time. Pages are
    timed while the machine rests; their `cpu` is this process's, without the database's."""

    sending_s: float
    lag_s: float
    web_cpu_s: float
    worker_cpu_s: float
    postgres_cpu_s: float
    web_mib: float
    worker_mib: float
    pages_p95_ms: float
    pages_cpu_ms: float


def measure(world: World, *, quick: bool) -> list[Figure]:
    """The later half of the minutes beside the earlier one, and the pages meanwhile."""
    number = int(os.environ.get("MANY_CUSTOMERS", "300" if quick else "10_000"))
    num_minutes = int(os.environ.get("MANY_MINUTES", "6" if quick else "60"))
    first = population.next_number()
    customers = Customers(first, first + number - 1)
    clear()
    today = database_now().date()
    first_day, last_day = population.days_before(today - timedelta(days=1), DAYS)
    population.make(customers, first_day=first_day, last_day=last_day)
    population.settle()
    collect_static()
    visit = partial(_visit, _visitors(customers))
    begins_at = database_now() - timedelta(minutes=num_minutes)
    with ExitStack() as stack:
        stack.callback(start_redis(Path(settings.DATA_DIR)).stop)
        run = _Run(world.token, customers, stack)
        _say([field.name for field in fields(Minute)])
        minutes = [run.minute(n, begins_at + timedelta(minutes=n), visit) for n in range(num_minutes)]
    return _figures(minutes, notes={"customers": number, "events a minute": len(customers) * customers.keys})


class _Run:
    """The product's programs, and what they have used so far."""

    def __init__(self, token: str, customers: Customers, stack: ExitStack) -> None:
        self._token, self._customers = token, customers
        self._web = stack.enter_context(program("web"))
        self._worker = stack.enter_context(program("worker"))
        stack.enter_context(program("beat"))
        self._used = self._cpu()

    def minute(self, number: int, at: datetime, visit: Callable[[], tuple[float, float]]) -> Minute:
        """Send a minute's usage and wait until it is counted."""
        senders = [partial(self._send, number, at, share) for share in range(NUM_CLIENTS)]
        sending = run_together(senders).seconds
        answered_at = time.monotonic()
        if not until(_nothing_waits, timeout_seconds=LONGEST_LAG_SECONDS):
            raise RuntimeError(f"Minute {number} was not counted in {LONGEST_LAG_SECONDS} s.")
        lag = time.monotonic() - answered_at
        used, before = self._cpu(), self._used
        self._used = used
        web, worker, postgres = (now - then for now, then in zip(used, before, strict=True))
        found = Minute(sending, lag, web, worker, postgres, memory_mib(self._web), memory_mib(self._worker), *visit())
        _say([f"{getattr(found, field.name):.2f}" for field in fields(Minute)])
        return found

    def _send(self, number: int, at: datetime, share: int) -> int:
        return send_batches(WEB_PORT, self._requests(number, at, share), num_events=BATCH)

    def _requests(self, number: int, at: datetime, share: int) -> Iterator[bytes]:
        """This client's share of the minute: each key once, in an order of the minute's own."""
        keys = list(range(len(self._customers) * self._customers.keys))
        random.Random(number).shuffle(keys)
        for begin in range(share * BATCH, len(keys), NUM_CLIENTS * BATCH):
            events = [self._event(key, number, at) for key in keys[begin : begin + BATCH]]
            body = json.dumps(events, separators=(",", ":")).encode()
            yield post_head(PATH, token=self._token, num_bytes=len(body)) + body

    def _event(self, place: int, minute: int, at: datetime) -> dict[str, object]:
        customer, key = divmod(place, self._customers.keys)
        return {
            "id": f"{place}-{minute}",
            "timestamp": (at + timedelta(milliseconds=place % 60_000)).isoformat(),
            "usage_type": "completions",
            "model": MODELS[place % len(MODELS)],
            "api_key_id": f"key_{self._customers.first + customer}_{key + 1}",
            "input_tokens": 2_000 + place % 100,
            "output_tokens": 500,
        }

    def _cpu(self) -> tuple[float, float, float]:
        return cpu_seconds(self._web), cpu_seconds(self._worker), _postgres_cpu_seconds()


def _figures(minutes: list[Minute], *, notes: dict[str, object]) -> list[Figure]:
    half = len(minutes) // 2
    memory = [one.web_mib + one.worker_mib for one in minutes]
    pages = [one.pages_p95_ms for one in minutes]
    course = {field.name: [round(getattr(one, field.name), 2) for one in minutes] for field in fields(Minute)}
    flat = partial(compare, want=WANT_FLAT, want_is="at most")
    lags = [one.sending_s + one.lag_s for one in minutes]
    return [
        flat("many_lag", unit="s/minute", values=lags[-half:], limits=lags[:half], notes={**notes, **course}),
        flat("many_memory", unit="MiB", values=memory[-half:], limits=memory[:half]),
        Figure(
            name="many_pages",
            unit="ms p95",
            value=median(pages),
            limit=None,
            ratio=None,
            want=WANT_MILLISECONDS,
            want_is="at most",
            spread={"value": (min(pages), max(pages))},
            repeats=len(pages),
        ),
    ]


def _visitors(customers: Customers) -> list[tuple[Client, str]]:
    chosen = random.Random(1).sample(range(customers.first, customers.last + 1), VISITED)
    found = []
    for number in chosen:
        client = Client(SERVER_NAME=HOST)
        client.force_login(customers.owner(number))
        found += [(client, f"/settings/organization/customer-{number}/usage/{page}/") for page in PAGES]
    return found


def _visit(visitors: list[tuple[Client, str]]) -> tuple[float, float]:
    """The 95th percentile of the pages' times and of what they take of this process's processor, in milliseconds."""
    times, used = [], []
    for client, address in visitors:
        began_at, used_before = time.perf_counter(), time.process_time()
        response = client.get(address)
        times.append((time.perf_counter() - began_at) * 1_000)
        used.append((time.process_time() - used_before) * 1_000)
        if response.status_code != 200:
            raise RuntimeError(f"{address} answered {response.status_code}.")
    return percentile(times, 0.95), percentile(used, 0.95)


def _nothing_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM metering_ingestbatch WHERE rolled_up_at IS NULL)")
        (waits,) = cursor.fetchone()
    return not waits


def _postgres_cpu_seconds() -> float:
    """Of the server with all its processes, those that have ended too."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    server = psutil.Process(pid).parent()
    assert server is not None
    times = [server.cpu_times(), *(child.cpu_times() for child in server.children())]
    ended = times[0].children_user + times[0].children_system
    return float(sum(one.user + one.system for one in times) + ended)


def _say(words: list[str]) -> None:
    print(" ".join(f"{word:>14}" for word in words), file=sys.stderr, flush=True)
