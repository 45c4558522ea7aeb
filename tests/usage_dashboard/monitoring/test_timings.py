"""Times of requests and tasks: each is counted once, under a name out of few, whoever asks and whoever writes."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from celery import signals
from django.db import DatabaseError, connection
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from billing.tasks import roll_up
from metering import isolation
from tests.usage_dashboard.monitoring.scrape import scraped, values
from tests.world import World
from usage_dashboard.models import Timing
from usage_dashboard.monitoring import routes, task_times
from usage_dashboard.monitoring import timings as memory
from usage_dashboard.monitoring.timings import BOUNDS, REQUEST, TASK, Timings, timings

pytestmark = pytest.mark.django_db
LARGE = "body not taken"


def counted() -> dict[tuple[str, str], int]:
    """How many by name and outcome, once all that this process has is written."""
    timings.write()
    found: dict[tuple[str, str], int] = {}
    for row in Timing.objects.all():
        found[row.name, row.outcome] = found.get((row.name, row.outcome), 0) + row.number
    return found


def asked(path: str, status: int = 200) -> None:
    """A request to Django with this path, as the server counts it."""
    environ: dict[str, Any] = {"PATH_INFO": path}
    response = Client().get(path)
    assert response.status_code == status, path
    if routes.ROUTE in response.wsgi_request.META:
        environ[routes.ROUTE] = response.wsgi_request.META[routes.ROUTE]
    routes.note_request(environ, status, 0.1)


def test_requests_are_counted_by_the_pattern_of_their_address(measured: Settings, world: World) -> None:
    asked("/healthz")
    for slug in ("acme", "other", "nobody"):
        asked(f"/organizations/{slug}/settings", 404)
    asked("/usage", 302)
    found = counted()
    assert found["/healthz", "2xx"] == 1
    assert found["no such address", "4xx"] == 3
    assert sum(found.values()) == 5
    assert all("acme" not in name and "nobody" not in name for name, _ in found)


def test_a_stranger_who_asks_for_anything_makes_no_names(measured: Settings) -> None:
    for number in range(50):
        asked(f"/no/such/page/{number}", 404)
        asked(f"/static/{number}.js", 404)
    assert counted() == {("no such address", "4xx"): 50, ("static files", "4xx"): 50}


def test_all_of_the_admin_site_is_one_address(measured: Settings, client_of: Callable[[User], Client]) -> None:
    boss = User.objects.create_superuser("boss@staff.test", "correct horse battery staple")
    for path in ("/admin/", "/admin/metering/faileditem/", "/admin/accounts/user/"):
        response = client_of(boss).get(path)
        assert (response.status_code, response.wsgi_request.META[routes.ROUTE]) == (200, "/admin/")


def test_events_have_their_own_address_though_django_never_sees_them(measured: Settings) -> None:
    routes.note_request({"PATH_INFO": "/v1/usage/events"}, 200, 0.001)
    routes.note_request({"PATH_INFO": "/v1/usage/events"}, 503, 0.001)
    routes.note_refused_body(413, 0.001)
    assert counted() == {("/v1/usage/events", "2xx"): 1, ("/v1/usage/events", "5xx"): 1, (LARGE, "4xx"): 1}


def test_nothing_is_measured_where_nobody_may_ask() -> None:
    routes.note_request({"PATH_INFO": "/v1/usage/events"}, 200, 0.001)
    routes.note_refused_body(413, 0.001)
    assert counted() == {}


@pytest.mark.usefixtures("measured")
def test_tasks_are_counted_by_what_became_of_them() -> None:
    def run(task_id: str, state: str, retval: object) -> None:
        task_times._begin(task_id)
        task_times._end(task_id, roll_up, state, retval)

    run("a", "SUCCESS", 0)
    run("b", "SUCCESS", 17)
    run("c", "SUCCESS", None)
    run("d", "FAILURE", ValueError())
    name = "billing.tasks.roll_up"
    assert counted() == {(name, "idle"): 1, (name, "done"): 2, (name, "failed"): 1}


@pytest.mark.usefixtures("measured")
def test_a_worker_times_what_it_runs() -> None:
    task_times.listen()
    try:
        roll_up.apply()
    finally:
        signals.task_prerun.disconnect(task_times._begin)
        signals.task_postrun.disconnect(task_times._end)
    assert counted() == {("billing.tasks.roll_up", "idle"): 1}
    assert not task_times._began_at


@pytest.mark.usefixtures("measured")
def test_a_time_that_is_a_bound_is_in_its_bucket_and_a_longer_one_in_the_next() -> None:
    for bound in BOUNDS:
        timings.note(REQUEST, "/usage", "2xx", bound)
        timings.note(REQUEST, "/usage", "2xx", bound * 1.001)
    timings.write()
    numbers = dict(Timing.objects.values_list("at_most", "number"))
    assert numbers == {BOUNDS[0]: 1, **dict.fromkeys(BOUNDS[1:], 2), float("inf"): 1}


@pytest.mark.usefixtures("measured", "redis_server")
def test_counts_with_bounds_of_an_older_version_are_still_counted() -> None:
    for at_most in (0.007, 2.0, 1000.0):  # none of BOUNDS
        Timing.objects.create(kind=REQUEST, name="/usage", outcome="2xx", at_most=at_most, number=1, seconds=at_most)
    buckets = values(scraped(), "request_seconds_bucket", "le")
    assert [buckets[bound] for bound in ("0.005", "0.025", "1.0", "2.5", "60.0", "+Inf")] == [0, 1, 1, 2, 2, 3]


@pytest.mark.django_db(transaction=True)
def test_many_processes_that_note_and_write_at_once_lose_nothing() -> None:
    num_processes, num_rounds = 5, 12
    names = [f"/{number}" for number in range(20)]

    def process(place: int) -> None:
        own = Timings()
        try:
            for _ in range(num_rounds):
                for name in names if place % 2 else reversed(names):
                    own.note(REQUEST, name, "2xx", 0.25)
                own.write()
        finally:
            connection.close()

    threads = [threading.Thread(target=process, args=(place,)) for place in range(num_processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert counted() == {(name, "2xx"): num_processes * num_rounds for name in names}
    assert Timing.objects.get(name="/1").seconds == pytest.approx(num_processes * num_rounds * 0.25)


def test_what_could_not_be_written_is_written_later(monkeypatch: pytest.MonkeyPatch) -> None:
    timings.note(REQUEST, "/usage", "2xx", 0.1)
    with monkeypatch.context() as broken:
        broken.setattr(memory, "ADD_SQL", "SELECT 1 FROM no_such_table")
        with pytest.raises(DatabaseError):
            timings.write()
    timings.note(REQUEST, "/usage", "2xx", 0.1)
    assert counted() == {("/usage", "2xx"): 2}


def test_what_waits_has_a_bound() -> None:
    for number in range(memory.MAX_SERIES + 10):
        timings.note(TASK, f"task {number}", "done", 0.1)
    assert len(counted()) == memory.MAX_SERIES


def test_failures_of_items_have_names_of_tasks_and_not_of_items(measured: Settings, redis_server: None) -> None:
    """Items are named after what customers made: their number has no bound."""
    for number in range(30):
        isolation.count_failure("budgets", f"budget {number}", ValueError("no"))
    assert values(scraped(), "failed_items", "task") == {"budgets": 30}


@pytest.mark.usefixtures("measured")
def test_what_is_rolled_up_without_celery_is_counted_as_its_task_is() -> None:
    def fail() -> int:
        raise ValueError

    name = "billing.tasks.roll_up"
    for how_much in (17, 0, None):
        assert task_times.measured(name, partial(next, iter([how_much]))) == how_much
    with pytest.raises(ValueError, match=r"^$"):
        task_times.measured(name, fail)
    assert counted() == {(name, "done"): 1, (name, "idle"): 2, (name, "failed"): 1}
