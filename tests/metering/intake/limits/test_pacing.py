"""`metering.intake.back_pressure`: ingest slows down while the rollups run and are behind all the same, and only then."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.clock import database_now
from apikeys.models import APIKey
from metering.intake import back_pressure as pacing
from metering.intake.back_pressure import LONGEST_REST_SECONDS, MOST_RESTS, Pace, rests
from metering.models import IngestBatch
from metering.rollups import run
from tests.engine import make_event, send


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The rests that were taken, in seconds; none takes time."""
    seconds: list[float] = []
    monkeypatch.setattr(pacing, "time", SimpleNamespace(sleep=seconds.append, monotonic=time.monotonic))
    return seconds


@pytest.mark.parametrize(
    ("lag_seconds", "expected"), [(0, 0), (5, 0), (7.5, 0.5), (10, 1), (20, 3), (40, MOST_RESTS), (86_400, MOST_RESTS)]
)
def test_rests_grow_with_the_lag_up_to_a_limit(settings: Settings, lag_seconds: float, expected: float) -> None:
    settings.SLOW_DOWN_LAG_SECONDS = 5
    assert rests(lag_seconds) == expected


def test_without_a_lag_to_slow_down_at_there_is_no_rest(settings: Settings) -> None:
    settings.SLOW_DOWN_LAG_SECONDS = 0
    assert rests(86_400) == 0


@pytest.mark.parametrize(
    ("oldest_waits_seconds", "rolls_up", "slow"),
    [(3_600, True, True), (3_600, False, False), (0, True, False), (None, True, False)],
    ids=["behind", "behind without a worker", "keeps up", "nothing waits"],
)
def test_senders_wait_longer_only_while_rollups_run_and_are_behind(  # noqa: PLR0917
    token: str,
    key: APIKey,
    slept: list[float],
    oldest_waits_seconds: int | None,
    rolls_up: bool,
    slow: bool,
) -> None:
    if oldest_waits_seconds is not None:
        make_waiting_batch(oldest_waits_seconds)
    with rolling_up() if rolls_up else nullcontext():
        for number in range(2):
            assert send([make_event(id=f"event-{number}", api_key_id=key.public_id)], token) == ["accepted"]
    assert len(slept) == (2 if slow else 0)
    assert all(0 < seconds <= LONGEST_REST_SECONDS for seconds in slept)


def test_a_rest_is_in_proportion_to_the_transaction_and_never_too_long(
    db: None, slept: list[float], settings: Settings
) -> None:
    settings.SLOW_DOWN_LAG_SECONDS = 10
    make_waiting_batch(30)
    pace = Pace()
    with rolling_up(), connection.cursor() as cursor:
        pace.look(cursor)
    pace.rest(0.01)
    pace.rest(10)
    assert slept == [pytest.approx(0.02, rel=0.1), LONGEST_REST_SECONDS]


def test_full_speed_comes_back_with_the_rollups(
    db: None, slept: list[float], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "LOOK_EVERY_SECONDS", 0)
    batch = make_waiting_batch(3_600)
    pace = Pace()
    with rolling_up(), connection.cursor() as cursor:
        pace.look(cursor)
        IngestBatch.objects.filter(pk=batch.pk).update(rolled_up_at=database_now())
        pace.look(cursor)
        pace.look(cursor)
    pace.rest(1)
    assert not slept
    assert [record.getMessage() for record in caplog.records] == [
        "Usage events are taken slower: the rollups are 3600 s behind.",
        "Usage events are taken at full speed again: the rollups are 0 s behind.",
    ]


def test_the_rollups_are_looked_at_once_a_second(db: None, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    pace = Pace()
    with django_assert_num_queries(1), connection.cursor() as cursor:
        pace.look(cursor)
        pace.look(cursor)


def test_a_run_can_be_seen_and_other_work_under_its_lock_is_none(db: None) -> None:
    def is_rolling_up() -> bool:
        cursor.execute(f"SELECT {run.IS_ROLLING_UP}")
        return bool(cursor.fetchone()[0])

    with transaction.atomic(), connection.cursor() as cursor:
        assert run.lock(cursor, wait=True)
        assert not is_rolling_up()
        run.roll_up(cursor)
        assert is_rolling_up()


def make_waiting_batch(seconds: int) -> IngestBatch:
    """A batch that has waited for so long."""
    now = database_now()
    return IngestBatch.objects.create(
        received_at=now - timedelta(seconds=seconds), first_occurred_at=now, last_occurred_at=now, num_events=1
    )


@contextmanager
def rolling_up() -> Iterator[None]:
    """A rollup runs, as far as others can see."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [run.ROLLING_UP_MARK])
        yield
