"""Figures: server time of the Activity and the Cost page, beside the same page over fewer events.

Two organizations with the same people, keys and models; one has 100 times (quick: 10 times) the events of the other. The
events are made in PostgreSQL and rolled up by the product.
"""

import gc
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from functools import partial
from statistics import median
from typing import Any, Final

from django.db import connection
from django.test import Client, override_settings

from accounts.clock import database_now
from benchmarks.load.generate import clear, generate
from benchmarks.load.servers import HOST
from benchmarks.load.world import World, make_world
from benchmarks.measure import Figure, compare, in_turn, percentile
from billing.prices import new_models, rating
from usage_dashboard.machine.preparation import collect_static

DAYS: Final = 60
WANT: Final = 1.3
MOST_MILLISECONDS: Final = 50
PAGES: Final = {"activity_page": "activity", "cost_page": "cost"}
LARGEST_INSERT: Final = 500_000
TABLES: Final = (
    "metering_dailyusage",
    "metering_organizationdailyusage",
    "metering_attributeddailyusage",
    "metering_valuedailyusage",
    "metering_valuemonthlyusage",
    "metering_valuemonthlytotal",
    "billing_dailycost",
)
KEPT_REQUESTS: Final = 40
OTHER_VIEWS: Final = {
    "by user": "&group=user",
    "by key": "&group=api_key",
    "of an open day": "&day={month:%Y-%m}-15",
    "of an open day by key": "&day={month:%Y-%m}-15&group=api_key",
    "of an open hour": "&day={month:%Y-%m}-15&hour=13",
}
"""Measured beside the default view, over the larger organization alone."""


def measure(world: World, *, quick: bool) -> list[Figure]:
    """One figure a page: 150,000 events beside 15,000 (quick), or PAGE_EVENTS (100 million) beside a hundredth."""
    small = make_world("fewer")
    times_more = 10 if quick else 100
    num_events = 150_000 if quick else int(os.environ.get("PAGE_EVENTS", "100_000_000"))
    clear()
    today = database_now().date()
    started = time.monotonic()
    for day in [today - timedelta(days=n) for n in range(DAYS, 0, -1)]:
        fill(world, day, num_events // DAYS)
        fill(small, day, num_events // times_more // DAYS)
    notes = {"events": num_events, "s to generate and roll up": time.monotonic() - started}
    notes["daily rows"] = _num_daily_rows(world)
    settle()
    collect_static()
    month = today.replace(day=1) - timedelta(days=1)  # the last whole month lies within the 60 days
    return [_page(name, (small, world), month, quick=quick, notes=notes) for name in PAGES]


def _page(name: str, worlds: tuple[World, World], month: date, *, quick: bool, notes: dict[str, Any]) -> Figure:
    others = {} if quick else views_of(worlds[1], PAGES[name], month, OTHER_VIEWS, 60)
    others |= seen_again(worlds[1], PAGES[name], month)
    return page_figure(name, PAGES[name], worlds, month, quick=quick, notes=notes | others)


def page_figure(  # noqa: PLR0913 - what a figure is of
    name: str,
    page: str,
    worlds: tuple[World, World],
    month: date,
    *,
    quick: bool,
    notes: dict[str, Any],
    query: str = "",
) -> Figure:
    """A page of the second world beside that of the first; `query` follows in the address."""
    rounds, requests = (3, 20) if quick else (7, 60)
    times: dict[str, list[float]] = {"limit": [], "product": []}
    visits = {
        who: partial(_p95, _visitor(world), _address(world, page, month) + query, requests, times[who])
        for who, world in zip(times, worlds, strict=True)
    }
    with override_settings(PAGES_KEPT_BYTES=0):
        found = in_turn(visits, repeats=rounds)
    own = {
        "requests per repeat": requests,
        "p50 ms": median(times["product"]),
        "p95 of all requests, ms": percentile(times["product"], 0.95),
        "most ms wanted": MOST_MILLISECONDS,
    }
    return compare(
        name,
        unit="ms p95",
        values=found["product"],
        limits=found["limit"],
        want=WANT,
        want_is="at most",
        notes={**notes, **own},
    )


def seen_again(world: World, page: str, month: date, query: str = "") -> dict[str, float]:
    """What a reload takes of a page that nothing changed on: sent again, and told that the reader has it."""
    visitor, address = _visitor(world), _address(world, page, month) + query
    tag = visitor.get(address).headers["ETag"]
    unchanged = partial(visitor.get, headers={"If-None-Match": tag})
    return {
        "p95 kept, ms": _p95(visitor, address, KEPT_REQUESTS, []),
        "p95 not modified, ms": percentile(
            [_milliseconds(unchanged, address, 304) for _ in range(KEPT_REQUESTS)], 0.95
        ),
    }


def views_of(world: World, page: str, month: date, views: Mapping[str, str], requests: int) -> dict[str, float]:
    """Other views of the page, each by what follows in its address."""
    visitor, address = _visitor(world), _address(world, page, month)
    with override_settings(PAGES_KEPT_BYTES=0):
        return {
            f"p95 {view}, ms": _p95(visitor, address + query.format(month=month), requests, [])
            for view, query in views.items()
        }


def _address(world: World, page: str, month: date) -> str:
    return f"/settings/organization/{world.organization.slug}/usage/{page}/?month={month:%Y-%m}"


def fill(world: World, day: date, num_events: int, *, with_purpose: bool = False) -> None:
    """A day of usage through the product's own rollup; with purposes if the world has them (`benchmarks.load.purposes`)."""
    start = datetime.combine(day, time_of_day(), tzinfo=UTC)
    left = num_events
    while left > 0:
        span = timedelta(days=1, microseconds=-1)
        number = min(left, LARGEST_INSERT)
        generate(world, num_events=number, start=start, span=span, batch=10_000, with_purpose=with_purpose)
        left -= LARGEST_INSERT
        rating.catch_up()
        new_models.price_all()


def settle() -> None:
    """As autovacuum would leave the tables after a while, and web its process (`usage_dashboard.wsgi`): to look through what
    stays for good again and again would take as long as several pages."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"VACUUM ANALYZE {table}")
        cursor.execute("CHECKPOINT")
    gc.collect()
    gc.freeze()


def _visitor(world: World) -> Client:
    client = Client(SERVER_NAME=HOST)
    client.force_login(world.owner)
    return client


def _p95(client: Client, address: str, requests: int, times: list[float]) -> float:
    """Of the requests of this repeat; `times` collects them all."""
    found = [_milliseconds(client.get, address, 200) for _ in range(requests + 1)]
    times += found[1:]  # the first one fills caches of the process
    return percentile(found[1:], 0.95)


def _milliseconds(ask: Callable[[str], Any], address: str, status: int) -> float:
    started = time.perf_counter()
    response = ask(address)
    took = (time.perf_counter() - started) * 1_000
    if response.status_code != status:
        raise RuntimeError(f"{address} answered {response.status_code}.")
    return took


def _num_daily_rows(world: World) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM metering_dailyusage WHERE organization_id = %s", [world.organization.id])
        (found,) = cursor.fetchone()
    return int(found)
