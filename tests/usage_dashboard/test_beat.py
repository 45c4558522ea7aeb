"""Beat leaves no long queue for a worker that is away, whatever their clocks say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.schedules import crontab, schedule
from django.conf import settings

from usage_dashboard.beat import MOST_WAITING, Scheduler
from usage_dashboard.celery import app
from usage_dashboard.machine.launcher import Plan, programs

QUEUE = "celery"
DELIVERIES = "deliveries"


@pytest.fixture
def queue(redis_server: None) -> Iterator[Any]:
    """The client of empty queues that nobody takes anything from."""
    with app.connection_for_write() as broker:
        channel: Any = broker.channel()
        client = channel.client
        client.delete(QUEUE, DELIVERIES)
        yield client
        client.delete(QUEUE, DELIVERIES)


def test_a_task_that_comes_back_soon_is_passed_over_while_many_wait(queue: Any) -> None:
    scheduler = Scheduler(app, lazy=True)
    frequent = scheduler.Entry(name="roll-up", task="billing.tasks.roll_up", schedule=schedule(1.0), app=app)
    for _ in range(MOST_WAITING + 10):
        scheduler.apply_entry(frequent)
    assert queue.llen(QUEUE) == MOST_WAITING
    queue.lpop(QUEUE)
    scheduler.apply_entry(frequent)
    assert queue.llen(QUEUE) == MOST_WAITING


def test_deliveries_wait_in_a_queue_of_their_own_and_hold_up_nothing_else(queue: Any) -> None:
    scheduler = Scheduler(app, lazy=True)
    entries = {name: schedule(1.0) for name in ("deliver_webhooks", "deliver_mails", "roll_up")}
    deliver, mail, roll_up = (
        scheduler.Entry(name=name, task=f"billing.tasks.{name}", schedule=each, app=app)
        for name, each in entries.items()
    )
    for _ in range(MOST_WAITING):
        scheduler.apply_entry(deliver)
        scheduler.apply_entry(mail)
    assert (queue.llen(DELIVERIES), queue.llen(QUEUE)) == (MOST_WAITING, 0)
    scheduler.apply_entry(roll_up)
    assert (queue.llen(DELIVERIES), queue.llen(QUEUE)) == (MOST_WAITING, 1)


def test_every_queue_has_a_worker(tmp_path: Path) -> None:
    taken = [
        arguments[arguments.index("--queues") + 1]
        for arguments in programs(Plan(data_dir=tmp_path, port=1)).values()
        if "--queues" in arguments
    ]
    routes = settings.CELERY_TASK_ROUTES.values()
    assert sorted(taken) == sorted({settings.CELERY_TASK_DEFAULT_QUEUE, *(route["queue"] for route in routes)})


def test_a_task_of_a_certain_hour_waits_with_the_others(queue: Any) -> None:
    queue.lpush(QUEUE, *["another"] * MOST_WAITING)
    scheduler = Scheduler(app, lazy=True)
    nightly = scheduler.Entry(name="verify", task="billing.tasks.verify", schedule=crontab(hour="3"), app=app)
    scheduler.apply_entry(nightly)
    assert queue.llen(QUEUE) == MOST_WAITING + 1


def test_no_message_expires_by_somebodys_clock() -> None:
    assert settings.CELERY_BEAT_SCHEDULE
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        assert "expires" not in entry.get("options", {})
