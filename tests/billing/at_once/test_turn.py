"""The turn: one at a time rolls up, also while it rests between two runs, and whoever dies has it no longer."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.clock import database_now
from billing.at_once import turn
from billing.prices import rating
from billing.tasks import roll_up as roll_up_task
from metering import isolation
from metering.models import FailedItem, IngestBatch
from metering.rollups import run
from tests.engine import make_event, make_key, make_token, send, total_of
from tests.world import World
from usage_dashboard.machine.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
Send = Callable[[str], None]


@pytest.fixture
def arrive(world: World) -> Send:
    """An event of 100 input tokens arrives."""
    key, token = make_key(world.rita), make_token()

    def one(event_id: str) -> None:
        assert send(make_event(id=event_id, api_key_id=key.public_id, input_tokens=100), token) == ["accepted"]

    return one


def in_thread(do: Callable[[], object]) -> object:
    """What it returns on a connection of its own, closed afterwards."""

    def done() -> object:
        try:
            return do()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(done).result(20)


def test_what_waits_is_rolled_up_once(world: World, arrive: Send) -> None:
    arrive("one")
    arrive("two")
    assert turn.take() == 2
    assert turn.take() == 0
    assert total_of(world.acme, "input_tokens") == 200


def test_a_turn_without_anything_to_do_is_one_question(world: World) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert roll_up_task() == 0
    assert len(queries) == 1


def test_whoever_comes_while_another_one_rests_leaves_and_the_rest_is_followed_by_another_look(
    world: World, arrive: Send
) -> None:
    seen: list[object] = []
    arrive("one")

    def rest() -> bool:
        if len(seen) == 2:
            return False
        arrive(f"meanwhile-{len(seen)}")
        seen.append(in_thread(turn.take))
        return True

    assert turn.take(rest) == 3
    assert seen == [None, None]  # it was not theirs
    assert total_of(world.acme, "input_tokens") == 300
    arrive("last")
    assert in_thread(turn.take) == 1  # it was given back


def test_beats_turn_ends_when_all_that_waited_is_taken(arrive: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    look = rating.roll_up_and_rate

    def noted(**asked: Any) -> int:
        looks.append(asked)
        return look(**asked)

    monkeypatch.setattr(rating, "roll_up_and_rate", noted)
    arrive("one")
    assert roll_up_task() == 1
    assert len(looks) == 1


def test_a_run_that_took_as_much_as_it_may_is_followed_by_the_next_without_a_rest(
    arrive: Send, settings: Settings
) -> None:
    settings.ROLL_UP_MAX_EVENTS = 1
    for number in range(3):
        arrive(str(number))

    def rest() -> bool:
        raise AssertionError

    assert turn.take(rest) == 3


def test_the_turn_is_given_back_by_a_run_that_fails(arrive: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_asked: object) -> int:
        raise OperationalError

    arrive("one")
    with monkeypatch.context() as patched:
        patched.setattr(rating, "catch_up", fail)
        with pytest.raises(OperationalError):
            turn.take()
    assert in_thread(turn.take) == 1


def test_the_turn_of_one_who_dies_is_over(arrive: Send) -> None:
    arrive("one")
    has_it, may_go = threading.Event(), threading.Event()

    def die() -> object:
        def rest() -> bool:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                backends.append(cursor.fetchone()[0])
            has_it.set()
            may_go.wait(20)
            return False

        return turn.take(rest)

    backends: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        dying = pool.submit(in_thread, die)
        assert has_it.wait(20)
        arrive("two")
        assert turn.take() is None
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", backends)
        assert wait_until(lambda: turn.take() == 1, timeout_seconds=10)
        may_go.set()
        assert dying.result(20) == 1
    arrive("three")
    assert turn.take() == 1


def test_batches_that_others_rolled_up_after_a_failure_are_not_listed_for_ever(arrive: Send) -> None:
    arrive("one")
    batch = IngestBatch.objects.get()
    isolation.count_failure(run.TASK, f"{run.BATCH}{batch.pk}", ValueError())
    assert rating.roll_up_and_rate() == 1
    assert FailedItem.objects.exists()
    assert turn.take() == 0
    assert not FailedItem.objects.exists()


def test_a_batch_that_failed_once_is_taken_again_in_the_same_turn(world: World, arrive: Send) -> None:
    arrive("fails-at-first")
    batch = IngestBatch.objects.get()
    isolation.count_failure(run.TASK, f"{run.BATCH}{batch.pk}", ValueError())
    arrive("one")

    def rest() -> bool:
        """Meanwhile staff lets it be tried again, and something else arrives."""
        waits = IngestBatch.objects.filter(rolled_up_at=None).exists()
        FailedItem.objects.update(next_attempt_at=database_now())
        return waits

    assert turn.take(rest) == 2
    assert not FailedItem.objects.exists()
    assert total_of(world.acme, "input_tokens") == 200


def test_a_turn_that_does_nothing_holds_up_nobody_for_long(world: World, arrive: Send) -> None:
    arrive("one")
    has_it, may_go = threading.Event(), threading.Event()

    def be_frozen() -> object:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [turn.TURN_LOCK])
        has_it.set()
        return may_go.wait(20)

    with ThreadPoolExecutor(1) as pool:
        frozen = pool.submit(in_thread, be_frozen)
        assert has_it.wait(20)
        assert turn.take() is None
        IngestBatch.objects.update(received_at=database_now() - timedelta(seconds=turn.OVERDUE_SECONDS + 1))
        assert turn.take() == 1
        may_go.set()
        frozen.result(20)
    assert total_of(world.acme, "input_tokens") == 100
