"""`accounts.changes`: a change waits for the ingest that does not know of it, and keeps nobody else waiting."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from threading import Event

import pytest
from django.db import connection, transaction

from accounts import changes
from accounts.changes import ROUTING_LOCK, routing_change
from apikeys import directory
from apikeys.keys import keys
from apikeys.models import APIKey
from tests.engine import make_event, make_key, make_token, num_events, send
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
SOON_SECONDS = 0.3


@contextmanager
def held(work: Callable[[], AbstractContextManager[object]]) -> Iterator[None]:
    """Another connection is in the middle of this work."""
    reached, go_on = Event(), Event()

    def run() -> None:
        try:
            with work():
                reached.set()
                assert go_on.wait(10)
        finally:
            reached.set()
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(run)
        try:
            assert reached.wait(10)
            yield
        finally:
            go_on.set()
            running.result()


@contextmanager
def ingest() -> Iterator[None]:
    """A transaction of ingest that has read the version."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [ROUTING_LOCK])
        yield


def in_thread(threads: ThreadPoolExecutor, call: Callable[[], object]) -> Future[object]:
    """The call, over a connection of its own."""

    def run() -> object:
        try:
            return call()
        finally:
            connection.close()

    return threads.submit(run)


def is_done_soon(future: Future[object]) -> bool:
    return bool(wait_for([future], timeout=SOON_SECONDS).done)


def event_of(api_key: APIKey, number: int) -> dict[str, object]:
    return make_event(id=f"event-{number}", api_key_id=api_key.public_id)


def test_a_change_takes_effect_after_the_ingest_that_does_not_know_of_it_and_holds_up_no_other(world: World) -> None:
    hers, his, token = make_key(world.rita), make_key(world.bob), make_token()
    assert send([event_of(hers, 1), event_of(his, 2)], token) == ["accepted"] * 2

    def switch() -> object:
        with routing_change(world.rita) as now:
            return keys.set_tracking(api_key=hers, tracked=False, now=now)

    with ThreadPoolExecutor(1) as threads:
        with held(ingest):
            switching = in_thread(threads, switch)
            assert not is_done_soon(switching)
            assert send(event_of(his, 3), token) == ["accepted"]
            assert not switching.done()
        assert switching.result(10) is True


def test_only_the_ingest_of_who_is_being_changed_waits(world: World) -> None:
    hers, his, token = make_key(world.rita), make_key(world.bob), make_token()
    assert send([event_of(hers, 1), event_of(his, 2)], token) == ["accepted"] * 2
    with ThreadPoolExecutor(1) as threads:
        with held(partial(routing_change, world.rita)):
            assert send(event_of(his, 3), token) == ["accepted"]
            sending = in_thread(threads, lambda: send(event_of(hers, 4), token))
            assert not is_done_soon(sending)
        assert sending.result(10) == ["accepted"]
    assert num_events() == 4


def test_a_change_of_which_nobody_says_whom_it_touches_is_alone_with_all_ingest_and_changes(world: World) -> None:
    hers, token = make_key(world.rita), make_token()
    assert send(event_of(hers, 1), token) == ["accepted"]

    def change_bob() -> object:
        with routing_change(world.bob):
            return "changed"

    with ThreadPoolExecutor(2) as threads:
        with held(routing_change):
            waiting = [in_thread(threads, call) for call in (lambda: send(event_of(hers, 2), token), change_bob)]
            assert not any(map(is_done_soon, waiting))
        assert [one.result(10) for one in waiting] == [["accepted"], "changed"]


def test_changes_of_different_people_do_not_wait_for_each_other(world: World) -> None:
    with held(partial(routing_change, world.rita)), routing_change(world.bob):
        pass


def test_nothing_is_learnt_of_who_is_being_changed(world: World) -> None:
    hers, his = make_key(world.rita), make_key(world.bob)
    known = directory.at_version(1)
    with held(partial(routing_change, world.rita)):
        with pytest.raises(changes.BeingChangedError):
            known.learn([his.public_id, hers.public_id], [])
        with pytest.raises(changes.BeingChangedError):
            known.identity(hers.public_id)
        known.expected_keys = [hers.public_id]
        known.learn([his.public_id], [])
        assert known.keys.keys() == {his.public_id}
    known.learn([hers.public_id], [])
    assert known.keys.keys() == {his.public_id, hers.public_id}


def test_a_change_that_fails_gives_its_locks_back(world: World) -> None:
    with pytest.raises(ZeroDivisionError), routing_change(world.rita):
        raise ZeroDivisionError
    with ThreadPoolExecutor(1) as threads:
        assert in_thread(threads, changes.being_changed).result(10) == frozenset()


def test_a_change_inside_another_transaction_is_refused(world: World) -> None:
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic(), routing_change(world.rita):
        pass
