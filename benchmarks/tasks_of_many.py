"""Figures: what tasks and pages take with 1,000 and with 10,000 customers, beside the same with 10.

Tasks that concern all are measured by the customer; what concerns one customer, as it is. All times are of the processors of
this process and of its connection to the database, so that neighbours do not count.
"""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final

import psutil
from django.db import connection, transaction
from django.test import Client

from accounts.clock import database_now
from accounts.models import Organization
from accounts.periods import month_of, previous_month
from benchmarks.load import population
from benchmarks.load.generate import clear
from benchmarks.load.population import Customers
from benchmarks.load.servers import HOST
from benchmarks.load.world import World
from benchmarks.measure import Figure, compare
from billing.budgets import checks
from billing.invoices import closing, drafts
from billing.pages.customers import customers as staff_list
from usage_dashboard.machine.preparation import collect_static

SIZES: Final = (10, 1_000, 10_000)
QUICK_SIZES: Final = (10, 100, 1_000)
DAYS: Final = 45
MOST_CLOSED: Final = 200
"""Payers of one measurement of the month's close, which takes each alone."""
QUESTIONS: Final = 50
WANT: Final = 1.3
TICK_SECONDS: Final = 0.01
"""The database's processor time is told in steps of this size: the least that anything is said to take."""
Task = tuple[Callable[[], object], int]
"""What to do, and how many customers it is for."""


def measure(world: World, *, quick: bool) -> list[Figure]:
    """A figure for each task and each of the larger sizes. It needs a database without customers."""
    if population.next_number() > 1:
        raise RuntimeError("There are customers already, who would be counted along.")
    clear()
    collect_static()
    sizes = QUICK_SIZES if quick else SIZES
    found: dict[str, dict[int, list[float]]] = {}
    made = 0
    for size in sizes:
        first_day, last_day = population.days_before(database_now().date(), DAYS)
        population.make(Customers(made + 1, size), first_day=first_day, last_day=last_day)
        population.settle()
        made = size
        for name, (task, number) in _tasks(world, size).items():
            seconds = [_cpu_seconds(task) / number for _ in range(3 if quick else 5)]
            found.setdefault(name, {})[size] = seconds
    return [_figure(name, size, found[name]) for name in found for size in sizes[1:]]


def _figure(name: str, size: int, found: dict[int, list[float]]) -> Figure:
    return compare(
        f"{name}_{size}",
        unit="s CPU each",
        values=found[size],
        limits=found[min(found)],
        want=WANT,
        want_is="at most",
    )


def _tasks(world: World, size: int) -> dict[str, Task]:
    now = database_now()
    owner = Client(SERVER_NAME=HOST)
    owner.force_login(Customers(1, size).owner(5))
    ask = partial(_ask, Client(SERVER_NAME=HOST), world.token)
    ask()
    return {
        "budgets": (partial(_undone, checks.check), size),
        "forecasts": (partial(_undone, partial(checks.check_forecasts, now)), size),
        "month_close": (partial(_undone, _close), min(MOST_CLOSED, size * 8 // 10)),
        "drafts_alike": (partial(_undone, _compare), size),
        "staff_list": (partial(staff_list.find_ids, "", now), size),
        "verification": (ask, QUESTIONS),
        "own_page": (partial(owner.get, "/settings/organization/customer-5/usage/cost/"), 1),
    }


def _close() -> None:
    month = previous_month(month_of(database_now().date()))
    close = closing.close_month(month, now=month.end_at + timedelta(hours=1))
    for done in close:
        if done.num_done == MOST_CLOSED:
            break


def _compare() -> None:
    """What an hour of the days of grace takes in which nothing changed."""
    month = previous_month(month_of(database_now().date()))
    payers = list(Organization.objects.filter(parent=None).order_by("pk").values_list("pk", flat=True))
    drafts.changed(payers, month)


def _ask(client: Client, token: str) -> None:
    """Is a key of the first ten customers good? Every process remembers it after the first time."""
    for number in range(QUESTIONS):
        question = json.dumps({"key": population.secret_of(1 + number % 10, 1)})
        answer = client.post(
            "/v1/keys/verify", question, content_type="application/json", HTTP_AUTHORIZATION=f"Bearer {token}"
        )
        if not answer.json()["valid"]:
            raise RuntimeError(f"A key is not good: {answer.content!r}")


def _undone(do: Callable[[], Any]) -> None:
    with transaction.atomic():
        do()
        transaction.set_rollback(True)


def _cpu_seconds(do: Callable[[], object]) -> float:
    with connection.cursor() as cursor:
        cursor.execute("SET max_parallel_workers_per_gather = 0; SELECT pg_backend_pid()")
        backend = psutil.Process(cursor.fetchone()[0])
    before, began_at = backend.cpu_times(), time.process_time()
    do()
    used, after = time.process_time() - began_at, backend.cpu_times()
    return float(max(TICK_SECONDS, used + after.user + after.system - before.user - before.system))
