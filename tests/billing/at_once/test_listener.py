"""The listener: usage is visible at once without anybody's turn by the clock, and it lives on when PostgreSQL lets it down."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from pytest_django import Settings

from billing.at_once import listener as module
from billing.at_once import turn
from billing.at_once.listener import Listener
from metering.models import IngestBatch
from metering.rollups.arrivals import CHANNEL
from tests.engine import make_event, make_key, make_token, send, total_of
from tests.world import World
from usage_dashboard.machine.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
Send = Callable[[str], None]
LISTENING_SQL = f"SELECT pid FROM pg_stat_activity WHERE query = 'LISTEN {CHANNEL}' AND datname = current_database()"


@pytest.fixture
def arrive(world: World) -> Send:
    """An event of 100 input tokens arrives."""
    key, token = make_key(world.rita), make_token()

    def one(event_id: str) -> None:
        assert send(make_event(id=event_id, api_key_id=key.public_id, input_tokens=100), token) == ["accepted"]

    return one


@contextmanager
def running(*listeners: Listener) -> Iterator[None]:
    """These work, and have heard nothing yet."""
    before = len(backends())
    for each in listeners:
        each.start()
    try:
        assert wait_until(lambda: len(backends()) == before + len(listeners), timeout_seconds=10)
        yield
    finally:
        for each in listeners:
            each.stop()
            assert not each._thread.is_alive()


def backends() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(LISTENING_SQL)
        return [pid for (pid,) in cursor.fetchall()]


def none_waits() -> bool:
    return not IngestBatch.objects.filter(rolled_up_at=None).exists()


def require_visible() -> None:
    assert wait_until(none_waits, timeout_seconds=10, every_seconds=0.01)


def test_events_are_rolled_up_without_a_turn_of_beats(world: World, arrive: Send) -> None:
    with running(Listener()):
        for number in range(3):
            arrive(str(number))
            require_visible()
            assert total_of(world.acme, "input_tokens") == 100 * (number + 1)


def test_what_arrived_before_it_began_does_not_wait_for_the_next_event(arrive: Send) -> None:
    arrive("before")
    with running(Listener()):
        require_visible()


def test_what_arrives_together_is_rolled_up_together(arrive: Send) -> None:
    looks: list[int | None] = []

    def take(rest: turn.Rest) -> int | None:
        looks.append(turn.take(rest))
        return looks[-1]

    with running(Listener(take)):
        assert wait_until(lambda: looks == [0], timeout_seconds=10)
        for number in range(20):
            arrive(str(number))
        require_visible()
    assert sum(found or 0 for found in looks) == 20
    assert len(looks) < 10


@pytest.mark.parametrize(("taken", "rest_seconds"), [(0, 0.2), (1, 0.0)], ids=["another was first", "without rests"])
def test_it_looks_once_more_for_what_is_not_said(
    arrive: Send, settings: Settings, taken: int, rest_seconds: float
) -> None:
    """What follows closely upon a batch that was said is said by nobody."""
    settings.ROLL_UP_REST_SECONDS = rest_seconds
    looks: list[int] = []

    def take(rest: turn.Rest) -> int:
        looks.append(taken)
        return taken

    with running(Listener(take)):
        assert wait_until(lambda: len(looks) == 1, timeout_seconds=10)
        arrive("said")
        assert wait_until(lambda: len(looks) == 3, timeout_seconds=10)


def test_it_listens_again_after_its_connection_was_cut(arrive: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.1)
    with running(Listener()):
        (first,) = backends()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
        assert wait_until(lambda: backends() not in ([], [first]), timeout_seconds=10)
        arrive("after")
        require_visible()


def test_a_connection_over_which_nothing_comes_is_asked_whether_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIET_SECONDS", 0.05)
    asked = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT 1' AND pid = %s"
    with running(Listener()), connection.cursor() as cursor:
        (pid,) = backends()

        def was_asked() -> bool:
            cursor.execute(asked, [pid])
            return bool(cursor.fetchone()[0])

        assert wait_until(was_asked, timeout_seconds=10)


def test_a_failure_ends_neither_it_nor_the_turn(arrive: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.1)
    failures = [ValueError("first"), ValueError("second")]

    def take(rest: turn.Rest) -> int | None:
        if failures:
            raise failures.pop()
        return turn.take(rest)

    arrive("one")
    with running(Listener(take)):
        require_visible()
    assert not failures


def test_of_many_one_rolls_up_at_a_time_and_each_event_once(world: World, arrive: Send) -> None:
    at_work: list[int] = []
    together: list[int] = []

    def take(rest: turn.Rest) -> int | None:
        def noted() -> bool:
            at_work.append(1)
            together.append(len(at_work))
            went_on = rest()
            at_work.pop()
            return went_on

        return turn.take(noted)

    with running(*(Listener(take) for _ in range(3))):
        for number in range(30):
            arrive(str(number))
        require_visible()
    assert set(together) == {1}
    assert total_of(world.acme, "input_tokens") == 3_000


def test_who_has_to_leave_comes_again_for_what_the_other_did_not_finish(
    arrive: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ELSEWHERE_SECONDS", 0.05)
    arrive("one")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [turn.TURN_LOCK])
        with running(Listener()):
            assert not wait_until(none_waits, timeout_seconds=0.5)
            cursor.execute("SELECT pg_advisory_unlock(%s)", [turn.TURN_LOCK])
            require_visible()
