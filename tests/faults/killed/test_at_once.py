"""Usage is visible at once by PostgreSQL and a worker alone; what the worker does not hear, beat finds."""

from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from metering.rollups.arrivals import CHANNEL
from tests.faults.harness import Stack
from tests.faults.proof import Scenario

pytestmark = pytest.mark.faults
SECONDS_OF_A_SLOW_MACHINE = 10
LISTENING_SQL = f"SELECT pid FROM pg_stat_activity WHERE query = 'LISTEN {CHANNEL}'"


@contextmanager
def deaf(stack: Stack) -> Iterator[None]:
    """What PostgreSQL has to tell to whoever listens does not reach him meanwhile."""
    listening = [psutil.Process(pid) for (pid,) in stack.rows(LISTENING_SQL)]
    assert listening
    for backend in listening:
        backend.suspend()
    try:
        yield
    finally:
        for backend in listening:
            backend.resume()


def test_usage_is_visible_while_redis_and_beat_are_dead(stack: Stack, scenario: Scenario) -> None:
    stack.wait_until_rolled_up()
    stack.stop("beat")
    stack.kill("redis")
    for _ in range(3):
        with scenario.load.sending(100):
            pass
        stack.wait_until_rolled_up(timeout_seconds=SECONDS_OF_A_SLOW_MACHINE)
    stack.start_what_is_missing()
    scenario.require_exactly_once()


def test_what_the_worker_does_not_hear_is_found_by_beat(stack: Stack, scenario: Scenario) -> None:
    with scenario.load.sending(100):
        pass
    stack.wait_until_rolled_up()
    with deaf(stack):
        stack.stop("beat")
        with scenario.load.sending(100):
            pass
        assert stack.num_waiting()
        stack.start("beat")
        stack.wait_until_rolled_up(timeout_seconds=SECONDS_OF_A_SLOW_MACHINE)
    scenario.require_exactly_once()


def test_a_worker_that_is_killed_in_the_middle_is_followed_by_another_one_without_beat(
    stack: Stack, scenario: Scenario, num_events: int
) -> None:
    stack.start("worker", alias="worker-2")
    try:
        stack.stop("beat")
        with scenario.load.sending(num_events, at_least_seconds=4):
            scenario.load.wait_for(0.5)
            stack.wait_for_a_rollup()
            stack.kill("worker")
        stack.wait_until_rolled_up(timeout_seconds=SECONDS_OF_A_SLOW_MACHINE)
        stack.start_what_is_missing()
    finally:
        stack.stop("worker-2")
    scenario.require_exactly_once()
