"""Group commit: everything that is submitted is stored once, together where it comes together, and answered after."""

import gc
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from metering.intake.group_commit import GroupCommit
from usage_dashboard.machine.processes import wait_until


class HeldStore:
    """Notes the groups that it is to store, and holds the first call until `go_on` is set."""

    def __init__(self) -> None:
        self.groups: list[list[Any]] = []
        self.first_runs = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, items: Sequence[Any]) -> None:
        self.groups.append(list(items))
        if len(self.groups) == 1:
            self.first_runs.set()
            assert self.go_on.wait(10)
        if "bad" in items:
            raise ConnectionError


def require_soon(condition: Callable[[], bool]) -> None:
    assert wait_until(condition, timeout_seconds=5, every_seconds=0.001)


def test_what_comes_while_the_first_is_stored_is_stored_together() -> None:
    store = HeldStore()
    together: GroupCommit[int] = GroupCommit(store, max_size=100, max_calls=1, size_beside=1, patience_seconds=10)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(together.submit, 0, size=1)
        assert store.first_runs.wait(10)
        others = [pool.submit(together.submit, number, size=1) for number in range(1, 6)]
        require_soon(lambda: len(together._waiting) == 5)
        store.go_on.set()
        for submitted in (first, *others):
            submitted.result(10)

    assert store.groups[0] == [0]
    assert sorted(store.groups[1]) == [1, 2, 3, 4, 5]
    assert len(store.groups) == 2


@pytest.mark.parametrize("max_calls", [1, 3])
def test_a_thousand_submissions_of_many_threads_are_each_stored_once_and_before_their_answer(max_calls: int) -> None:
    stored: list[int] = []
    running: list[int] = []

    def store(items: Sequence[int]) -> None:
        running.append(len(items))
        assert len(running) <= max_calls
        assert len(items) <= 10
        threading.Event().wait(0.0005)
        stored.extend(items)
        running.pop()

    together = GroupCommit(store, max_size=10, max_calls=max_calls, size_beside=1, patience_seconds=10)

    def submit(number: int) -> bool:
        together.submit(number, size=1)
        return number in stored

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(submit, range(1000), timeout=30))
    assert sorted(stored) == list(range(1000))


def test_as_many_calls_run_at_once_as_are_allowed_and_no_more() -> None:
    both_run = threading.Barrier(2, timeout=10)
    groups: list[list[int]] = []

    def store(items: Sequence[int]) -> None:
        groups.append(list(items))
        if len(groups) <= 2:
            both_run.wait()

    together = GroupCommit(store, max_size=100, max_calls=2, size_beside=1, patience_seconds=10)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda number: together.submit(number, size=1), range(2), timeout=10))
    assert sorted(groups) == [[0], [1]]


def test_beside_a_running_call_little_waits_and_much_begins() -> None:
    store = HeldStore()
    together: GroupCommit[str] = GroupCommit(store, max_size=100, max_calls=2, size_beside=10, patience_seconds=10)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(together.submit, "first", size=50)
        assert store.first_runs.wait(10)
        little = pool.submit(together.submit, "little", size=9)
        require_soon(lambda: len(together._waiting) == 1)
        assert store.groups == [["first"]]
        pool.submit(together.submit, "a little more", size=1).result(10)
        little.result(10)
        assert not first.done()
        store.go_on.set()
        first.result(10)
    assert store.groups == [["first"], ["little", "a little more"]]


def test_a_call_that_hangs_holds_up_nobody_else() -> None:
    stored: list[str] = []
    others_are_stored = threading.Event()

    def store(items: Sequence[str]) -> None:
        if "hangs" in items:
            assert others_are_stored.wait(10)
        stored.extend(items)

    together = GroupCommit(store, max_size=100, max_calls=2, size_beside=10, patience_seconds=0.01)
    with ThreadPoolExecutor(4) as pool:
        hangs = pool.submit(together.submit, "hangs", size=1)
        require_soon(lambda: together._num_calls == 1)
        for submitted in [pool.submit(together.submit, item, size=1) for item in ("a", "b", "c")]:
            submitted.result(5)
        assert sorted(stored) == ["a", "b", "c"]
        others_are_stored.set()
        hangs.result(5)


def test_a_few_in_line_before_many_do_not_keep_the_many_from_a_free_call() -> None:
    groups: list[list[str]] = []
    all_run = threading.Barrier(3, timeout=10)

    def store(items: Sequence[str]) -> None:
        groups.append(list(items))
        all_run.wait()

    together = GroupCommit(store, max_size=100, max_calls=3, size_beside=10, patience_seconds=10)
    with ThreadPoolExecutor(3) as pool:
        submitted = [pool.submit(together.submit, "first", size=1)]
        require_soon(lambda: len(groups) == 1)
        submitted.append(pool.submit(together.submit, "few", size=9))
        require_soon(lambda: len(together._waiting) == 1)
        submitted.append(pool.submit(together.submit, "many", size=100))
        for each in submitted:
            each.result(10)
    assert groups[0] == ["first"]
    assert sorted(groups[1:]) == [["few"], ["many"]]


def test_what_was_stored_is_let_go_at_once() -> None:
    class Item:
        pass

    together: GroupCommit[Item] = GroupCommit(
        lambda _: None, max_size=10, max_calls=1, size_beside=1, patience_seconds=10
    )
    item = Item()
    gone = weakref.ref(item)
    gc.disable()
    try:
        together.submit(item, size=1)
        del item
        assert gone() is None
    finally:
        gc.enable()


def test_an_item_larger_than_the_limit_is_stored_alone() -> None:
    groups: list[list[str]] = []
    together: GroupCommit[str] = GroupCommit(
        lambda items: groups.append(list(items)), max_size=10, max_calls=1, size_beside=1, patience_seconds=10
    )
    together.submit("large", size=50)
    assert groups == [["large"]]


def test_a_failure_reaches_everyone_in_the_group_and_nobody_after_it() -> None:
    store = HeldStore()
    together: GroupCommit[str] = GroupCommit(store, max_size=100, max_calls=1, size_beside=1, patience_seconds=10)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(together.submit, "first", size=1)
        assert store.first_runs.wait(10)
        unlucky = [pool.submit(together.submit, item, size=1) for item in ("bad", "good")]
        require_soon(lambda: len(together._waiting) == 2)
        store.go_on.set()
        first.result(10)
        for submitted in unlucky:
            with pytest.raises(ConnectionError):
                submitted.result(10)
    together.submit("afterwards", size=1)
    assert len(store.groups) == 3
