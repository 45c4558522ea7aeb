"""Celery only triggers: two workers at once and tasks delivered twice change nothing but the delay."""

import time

import pytest
from celery import Celery

from tests.faults.harness import Stack
from tests.faults.proof import Scenario
from usage_dashboard.machine.processes import wait_until

pytestmark = pytest.mark.faults
ROLL_UP = "billing.tasks.roll_up"
QUEUE = "celery"
COPIES = 40


def test_two_workers_roll_up_at_once(stack: Stack, scenario: Scenario, num_events: int) -> None:
    stack.start("worker", alias="worker-2")
    try:
        with stack.broker() as broker, scenario.load.sending(num_events, at_least_seconds=5):
            app = Celery(set_as_current=False)
            while scenario.load.is_on():
                with app.amqp.Producer(broker) as producer:
                    app.send_task(ROLL_UP, producer=producer)
                time.sleep(0.005)
        scenario.require_exactly_once()
    finally:
        stack.stop("worker-2")


def test_a_task_is_delivered_many_times(stack: Stack, scenario: Scenario, num_events: int) -> None:
    stack.stop("beat")
    stack.kill("worker")
    with stack.broker() as broker:
        queue = broker.channel().client
        queue.delete(QUEUE)
        with scenario.load.sending(num_events):
            scenario.load.wait_for(0.5)
            with (app := Celery(set_as_current=False)).amqp.Producer(broker) as producer:
                app.send_task(ROLL_UP, producer=producer)
            (message,) = queue.lrange(QUEUE, 0, -1)
            queue.lpush(QUEUE, *[message] * (COPIES - 1))
            stack.start("worker")
        assert wait_until(lambda: not queue.llen(QUEUE), timeout_seconds=30)
        queue.lpush(QUEUE, message, message)
        stack.wait_until_rolled_up()
        stack.start("beat")
    scenario.require_exactly_once()
