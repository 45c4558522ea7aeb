"""Arrivals: that events came in is said after a silence and not for every batch, and never at a sender's expense."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
import pytest
from django.db import connection, transaction

from metering.rollups.arrivals import AGAIN_SECONDS, CHANNEL, SILENCE_SECONDS, Arrivals
from tests.engine import make_event, make_key, make_token, send
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def hearing() -> Iterator[Any]:
    """A connection of somebody else's, who listens."""
    parameters = connection.get_connection_params()
    for name in ("cursor_factory", "context"):
        parameters.pop(name, None)
    with closing(psycopg2.connect(**parameters)) as other:
        other.autocommit = True
        other.cursor().execute(f"LISTEN {CHANNEL}")
        yield other


def heard(other: Any) -> int:
    """How often it was said since it was last asked."""
    other.cursor().execute("SELECT 1")
    other.poll()
    number = len(other.notifies)
    other.notifies.clear()
    return number


def test_whoever_stores_events_says_so_and_a_refused_event_says_nothing(world: World) -> None:
    key, token = make_key(world.rita), make_token()
    with hearing() as other:
        time.sleep(2 * SILENCE_SECONDS)
        assert send(make_event(id="wrong", api_key_id="nobody"), token) != ["accepted"]
        assert heard(other) == 0
        assert send(make_event(id="good", api_key_id=key.public_id), token) == ["accepted"]
        assert heard(other) == 1
        time.sleep(2 * SILENCE_SECONDS)
        assert send(make_event(id="good", api_key_id=key.public_id), token) == ["duplicate"]
        assert heard(other) == 0


def test_it_is_said_once_for_batches_that_follow_upon_each_other_and_again_after_a_silence() -> None:
    arrivals = Arrivals()
    with hearing() as other, connection.cursor() as cursor:
        for _ in range(20):
            arrivals.note(cursor)
        assert heard(other) == 1
        time.sleep(2 * SILENCE_SECONDS)
        arrivals.note(cursor)
        assert heard(other) == 1


def test_where_batches_never_end_it_is_said_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    arrivals = Arrivals()
    with hearing() as other, connection.cursor() as cursor:
        for _ in range(301):  # three seconds and a little more
            arrivals.note(cursor)
            clock[0] += AGAIN_SECONDS / 100
        assert heard(other) == 4


def test_a_connection_that_dies_after_the_commit_is_no_error_of_the_senders() -> None:
    with hearing() as other:
        cursor = connection.connection.cursor()  # psycopg2's, as ingest has it
        cursor.execute("SELECT pg_backend_pid()")
        other.cursor().execute("SELECT pg_terminate_backend(%s, 5000)", cursor.fetchone())
        Arrivals().note(cursor)
    assert connection.connection.closed
    connection.close()


def test_what_is_said_is_heard_when_the_transaction_is_committed_and_not_before() -> None:
    arrivals = Arrivals()
    with hearing() as other:
        with transaction.atomic(), connection.cursor() as cursor:
            arrivals.note(cursor)
            assert heard(other) == 0
        assert heard(other) == 1
