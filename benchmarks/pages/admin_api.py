"""Figures: a page of the admin API grouped by key and by day, beside the same page over fewer events; and the memory of web
while a million results are paged through."""

import json
import os
import time
from datetime import date, datetime, timedelta
from functools import partial
from http.client import HTTPConnection
from statistics import median
from typing import Any, Final
from urllib.parse import urlencode

from django.test import Client, override_settings

from accounts.clock import database_now
from accounts.periods import midnight
from apikeys.adminkeys.adminkeys import create_admin_key
from apikeys.models import AdminKey
from benchmarks.load.generate import clear, generate
from benchmarks.load.servers import HOST, WEB_PORT, memory_mib, program
from benchmarks.load.world import World, make_world
from benchmarks.measure import Figure, compare, in_turn, percentile
from benchmarks.pages.usage import settle
from billing.prices import new_models, rating
from usage_dashboard.machine.preparation import collect_static

DAYS: Final = 31
WANT: Final = 1.3
MOST_MILLISECONDS: Final = 100
MOST_MIB: Final = 32
NO_LIMIT: Final = "1000000000"
"""Requests of a key in a minute: one key makes them all here."""
PAGES: Final = {
    "admin_api_usage": ("usage/completions", {"group_by": "api_key_id", "bucket_width": "1d", "limit": DAYS}),
    "admin_api_costs": ("costs", {"group_by": "api_key_id", "bucket_width": "1d", "limit": DAYS}),
}
EVERYTHING: Final = {"group_by": "api_key_id,model", "bucket_width": "1h", "limit": 168}
WARM_SHARE: Final = 0.5
"""Of the results: what is read before, so that each process and thread of web has grown to the size of a page."""


def measure(world: World, *, quick: bool) -> list[Figure]:
    """Two pages of 150,000 events beside 15,000 (quick), or ADMIN_API_EVENTS (10 million) beside a hundredth; then the memory
    over 400,000 results (quick) or a million."""
    small, times_more = make_world("fewer-for-programs"), 10 if quick else 100
    num_events = 150_000 if quick else int(os.environ.get("ADMIN_API_EVENTS", "10_000_000"))
    clear()
    today = database_now().date()
    since = today - timedelta(days=DAYS)
    for found, number in ((world, num_events), (small, num_events // times_more)):
        _fill(found, since, number, days_at_once=DAYS if quick else 1)
    settle()
    collect_static()
    figures = [_page(name, (small, world), since, num_events, quick=quick) for name in PAGES]
    return [*figures, _memory(world, since, num_results=400_000 if quick else 1_000_000)]


def _fill(world: World, since: date, num_events: int, *, days_at_once: int) -> None:
    """So many events on the days from `since` on, through the product's own rollup."""
    span = timedelta(days=days_at_once)
    for place in range(DAYS // days_at_once):
        start = midnight(since) + place * span
        number = num_events * days_at_once // DAYS
        generate(world, num_events=number, start=start, span=span - timedelta(microseconds=1), batch=10_000)
        rating.catch_up()
    new_models.price_all()


def _page(name: str, worlds: tuple[World, World], since: date, num_events: int, *, quick: bool) -> Figure:
    rounds, requests = (3, 5) if quick else (7, 60)
    times: dict[str, list[float]] = {"limit": [], "product": []}
    sizes: dict[str, int] = {}
    asks = {
        who: partial(_p95, _address(name, since), _secret(world), requests, times[who], sizes)
        for who, world in zip(times, worlds, strict=True)
    }
    with override_settings(ADMIN_KEY_REQUESTS_PER_MINUTE=int(NO_LIMIT)):
        found = in_turn(asks, repeats=rounds)
    notes = {
        "events": num_events,
        "results in the page": sizes["results"],
        "bytes": sizes["bytes"],
        "p50 ms": median(times["product"]),
        "p95 of all requests, ms": percentile(times["product"], 0.95),
        "most ms wanted": MOST_MILLISECONDS,
    }
    values, limits = found["product"], found["limit"]
    return compare(name, unit="ms p95", values=values, limits=limits, want=WANT, want_is="at most", notes=notes)


def _secret(world: World) -> str:
    _, secret = create_admin_key(
        organization=world.organization, name="Benchmark", scopes=list(AdminKey.Scope.values), now=database_now()
    )
    return secret


def _address(name: str, since: date) -> str:
    path, query = PAGES[name]
    return f"/v1/organization/{path}?{urlencode({**query, 'start_time': int(midnight(since).timestamp())})}"


def _p95(address: str, secret: str, requests: int, times: list[float], sizes: dict[str, int]) -> float:
    """Of the requests of this repeat, through Django's test client; `times` collects them all, `sizes` tells of the last."""
    client, found = Client(SERVER_NAME=HOST, headers={"Authorization": f"Bearer {secret}"}), []
    for _ in range(requests + 1):
        started = time.perf_counter()
        response = client.get(address)
        found.append((time.perf_counter() - started) * 1_000)
        if response.status_code != 200:
            raise RuntimeError(f"{address} answered {response.status_code}.")
    sizes |= {"bytes": len(response.content), "results": _num_results(json.loads(response.content))}
    times += found[1:]  # the first one fills caches of the process
    return percentile(found[1:], 0.95)


def _memory(world: World, since: date, *, num_results: int) -> Figure:
    """How much larger web is at most in the second half of the results than in the first."""
    secret, seen, sizes = _secret(world), 0, []
    with program("web", environment={"ADMIN_KEY_REQUESTS_PER_MINUTE": NO_LIMIT}) as web:
        idle, pages = memory_mib(web), 0
        connection = HTTPConnection(HOST, WEB_PORT, timeout=60)
        began = time.monotonic()
        while seen < num_results:
            page = _ask(connection, secret, since, None)
            while True:
                seen, pages = seen + _num_results(page), pages + 1
                sizes.append((seen, memory_mib(web)))
                if seen >= num_results or not page["has_more"]:
                    break
                page = _ask(connection, secret, since, page["next_page"])
        seconds = time.monotonic() - began
        connection.close()
    warm = max(size for number, size in sizes if number <= max(WARM_SHARE * num_results, sizes[0][0]))
    most = max(size for _, size in sizes)
    notes = {"results": seen, "pages": pages, "results/s": seen / seconds, "MiB idle": idle, "MiB at most": most}
    return Figure(
        name="admin_api_memory",
        unit="MiB",
        value=most - warm,
        limit=None,
        ratio=None,
        want=MOST_MIB,
        want_is="at most",
        spread={"value": (most - warm, most - warm)},
        repeats=1,
        notes=notes,
    )


def _ask(connection: HTTPConnection, secret: str, since: date, page: str | None) -> dict[str, Any]:
    start: datetime = midnight(since)
    query = {**EVERYTHING, "start_time": int(start.timestamp()), **({"page": page} if page else {})}
    address = f"/v1/organization/usage/completions?{urlencode(query)}"
    connection.request("GET", address, headers={"Authorization": f"Bearer {secret}"})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{address} answered {answer.status}: {body[:200]!r}")
    found: dict[str, Any] = json.loads(body)
    return found


def _num_results(page: dict[str, Any]) -> int:
    return sum(len(bucket["results"]) for bucket in page["data"])
