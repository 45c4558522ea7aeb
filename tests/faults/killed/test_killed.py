"""Processes that die by SIGKILL while events come in and are rolled up."""

import json
import time

import pytest

from tests.faults.harness import Stack
from tests.faults.proof import Scenario
from usage_dashboard.machine.processes import wait_until

pytestmark = pytest.mark.faults


def test_a_web_process_is_killed_in_the_middle_of_requests(stack: Stack, scenario: Scenario, num_events: int) -> None:
    with scenario.load.sending(num_events):
        for fraction in (0.1, 0.5):
            scenario.load.wait_for(fraction)
            stack.kill_one_of("web")
        scenario.load.wait_for(0.8)
        stack.kill("web")
        stack.start("web")
    assert scenario.load.ledger.troubles, "no request was under way"
    scenario.require_exactly_once()


def test_the_worker_is_killed_in_the_middle_of_a_rollup(stack: Stack, scenario: Scenario, num_events: int) -> None:
    in_the_middle = 0
    for _ in range(2):
        stack.pause("worker")
        with scenario.load.sending(num_events // 2, at_least_seconds=2):
            scenario.load.wait_for(0.8)
            stack.resume("worker")
            stack.wait_for_a_rollup()
            stack.kill("worker")
            stack.wait_for_no_rollup()
            in_the_middle += stack.num_waiting() > 0
        stack.start("worker")
        stack.wait_until_rolled_up()
    assert in_the_middle
    scenario.require_exactly_once()


@pytest.mark.parametrize("what", ["every_process", "the_first_process"])
def test_postgres_is_killed_in_the_middle_of_requests_and_a_rollup(
    stack: Stack, scenario: Scenario, num_events: int, what: str
) -> None:
    stack.pause("worker")
    with scenario.load.sending(num_events, clients=8, at_least_seconds=8):
        scenario.load.wait_for(0.4)
        stack.resume("worker")
        stack.wait_for_a_rollup()
        if what == "every_process":
            stack.kill("postgres")
        else:
            stack.kill_first_process("postgres")
        assert scenario.load.is_on()
        time.sleep(0.5)  # as the launcher does
        stack.start("postgres")
    assert scenario.load.ledger.troubles, "no request was under way"
    scenario.require_exactly_once()


def test_redis_is_gone_for_a_while_and_comes_back_empty(stack: Stack, scenario: Scenario, num_events: int) -> None:
    def new_events_wait() -> bool:
        with scenario.load.sending(100):
            pass
        stack.wait_for_no_rollup()
        return stack.num_waiting() > 0

    with scenario.load.sending(num_events // 2):
        scenario.load.wait_for(0.3)
        stack.kill("redis")
    with scenario.load.sending(num_events // 2):
        status, body = stack.get("/readyz")
        assert (status, json.loads(body)["status"]) == (200, "degraded")
    # What the worker had begun goes on for as long as events come.
    assert wait_until(new_events_wait, timeout_seconds=30)
    assert not scenario.load.ledger.troubles
    stack.start("redis")
    stack.wait_until_rolled_up()
    assert wait_until(lambda: json.loads(stack.get("/readyz")[1])["status"] == "ok", timeout_seconds=5)
    scenario.require_exactly_once()
