"""Metrics of several processes: the same from each of them, and never less, whatever is killed."""

import http.client
import json
import time
from collections.abc import Iterator, Mapping

import pytest

from tests.faults.harness import HOST, Stack
from tests.faults.load import PATH
from tests.faults.proof import Scenario
from tests.usage_dashboard.monitoring.scrape import TOKEN, Samples, counters, samples
from usage_dashboard.machine.processes import wait_until

pytestmark = pytest.mark.faults
ENVIRONMENT: Mapping[str, str] = {"METRICS_TOKEN": TOKEN, "METRICS_WRITE_SECONDS": "0.3", "WEB_WORKERS": "3"}
PROGRAMS = ("web", "worker")


@pytest.fixture
def measured(stack: Stack) -> Iterator[Stack]:
    """Web in three processes, and a worker, both measured."""
    stack.stop(*PROGRAMS)
    for name in PROGRAMS:
        stack.start(name, environment=ENVIRONMENT)
    yield stack
    stack.start_what_is_missing()
    stack.stop(*PROGRAMS)
    for name in PROGRAMS:
        stack.start(name)


def scrape(stack: Stack) -> Samples:
    """One scrape over a connection of its own, so that any of web's processes answers."""
    web = http.client.HTTPConnection(HOST, stack.plan.port, timeout=10)
    try:
        web.request("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        response = web.getresponse()
        text = response.read().decode()
        assert response.status == 200, text
        return samples(text)
    finally:
        web.close()


def require_no_less(before: Samples, after: Samples) -> None:
    for key, number in counters(before):
        assert after.get(key, -1.0) >= number, key


def num_requests(found: Samples) -> float:
    """Requests with events, of any outcome."""
    return found.get(("request_seconds_count", frozenset({"route": PATH}.items())), 0.0)


def num_events(found: Samples, outcome: str) -> float:
    return found.get(("events_total", frozenset({"source": "native", "outcome": outcome}.items())), 0.0)


def send(stack: Stack, secret: str, number: int) -> None:
    """A request with one event that is refused, over a connection of its own."""
    web = http.client.HTTPConnection(HOST, stack.plan.port, timeout=10)
    try:
        body = json.dumps({"id": f"bad-{number}", "usage_type": "completions"})
        web.request("POST", PATH, body, {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"})
        assert web.getresponse().status == 200
    finally:
        web.close()


def test_every_process_tells_the_counts_of_all_exactly(measured: Stack, scenario: Scenario) -> None:
    before = scrape(measured)
    for number in range(60):
        send(measured, scenario.secret, number)
    assert wait_until(lambda: num_requests(scrape(measured)) >= num_requests(before) + 60, timeout_seconds=20)
    refused = num_events(before, "rejected") + 60
    assert wait_until(lambda: num_events(scrape(measured), "rejected") >= refused, timeout_seconds=20)
    for _ in range(12):
        found = scrape(measured)
        assert num_requests(found) == num_requests(before) + 60
        assert num_events(found, "rejected") == refused


def test_no_counter_becomes_less_while_processes_of_web_and_the_worker_are_killed(
    measured: Stack, scenario: Scenario, num_events: int
) -> None:
    last, num_scrapes = scrape(measured), 0
    with scenario.load.sending(num_events, at_least_seconds=6):
        for victim in ("web", "worker", "web"):
            until = time.monotonic() + 1.5
            while time.monotonic() < until:
                last, num_scrapes = scraped_again(measured, last), num_scrapes + 1
            if victim == "web":
                measured.kill_one_of("web")
            else:
                measured.kill("worker")
                measured.start("worker", environment=ENVIRONMENT)
        assert scenario.load.is_on()
    assert num_scrapes > 10
    assert last["rollup_lag_seconds", frozenset()] < 60
    scenario.require_exactly_once()
    done = frozenset({"task": "billing.tasks.roll_up", "outcome": "done"}.items())
    assert wait_until(lambda: scrape(measured).get(("task_seconds_count", done), 0) > 0, timeout_seconds=20)


def scraped_again(stack: Stack, last: Samples) -> Samples:
    """A scrape that has no less than the last one; one whose process is killed meanwhile is asked again."""
    for _ in range(5):
        try:
            found = scrape(stack)
        except (OSError, http.client.HTTPException):
            continue
        require_no_less(last, found)
        return found
    raise AssertionError("web does not answer")
