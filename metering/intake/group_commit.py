"""Many small requests, one commit: whoever comes first stores for all who came meanwhile.

A commit costs the same for one event as for thousands, and so does the start of a COPY. Requests therefore queue up within
their process; one of them, the leader, takes all that wait, stores them in one transaction, and hands the lead to one that
came meanwhile. Alone, a request is stored at once. Each is answered after the commit that holds it.
Many events are worth a transaction beside the one that runs: while one waits for the disk, the next can prepare its rows.
Few events are worth it only when that one takes unusually long, so that whatever holds it up does not hold up all.
"""

import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")


class _Ticket(Generic[T]):
    __slots__ = ("error", "group", "item", "size", "turn")

    def __init__(self, item: T, size: int) -> None:
        self.item = item
        self.size = size
        self.group: Sequence[_Ticket[T]] = ()  # what this one has to store, itself first; nothing if another stores it
        self.error: BaseException | None = None
        self.turn = threading.Lock()  # held until it is stored, or has to store; nothing is quicker to wait for


class GroupCommit(Generic[T]):
    """Calls `store` with what was submitted meanwhile, in order, of `max_size` in all unless one item is larger.

    While a call runs, another one begins as soon as what waits has `size_beside` in all, or one has waited for
    `patience_seconds`; at most `max_calls` run at a time.
    """

    def __init__(
        self,
        store: Callable[[Sequence[T]], None],
        *,
        max_size: int,
        max_calls: int,
        size_beside: int,
        patience_seconds: float,
    ) -> None:
        self._store = store
        self._max_size = max_size
        self._max_calls = max_calls
        self._size_beside = size_beside
        self._patience_seconds = patience_seconds
        self._lock = threading.Lock()
        self._waiting: list[_Ticket[T]] = []
        self._waiting_size = 0
        self._num_calls = 0

    def submit(self, item: T, *, size: int) -> None:
        """Returns when a call of `store` that held the item has returned; raises what that call raised."""
        ticket = _Ticket(item, size)
        ticket.turn.acquire()
        with self._lock:
            self._waiting.append(ticket)
            self._waiting_size += size
            self._begin_due()
        if not ticket.turn.acquire(timeout=self._patience_seconds):
            with self._lock:
                self._begin_one()
            ticket.turn.acquire()
        # The group begins with the ticket itself; out of this circle, both are freed at once.
        group, ticket.group = ticket.group, ()
        if group:
            self._lead(group)
        if ticket.error is not None:
            raise ticket.error

    def _lead(self, group: Sequence[_Ticket[T]]) -> None:
        """Store the group, let the next one begin, and wake the group's owners."""
        try:
            self._store([ticket.item for ticket in group])
        except BaseException as error:
            for ticket in group:
                ticket.error = error
            raise
        finally:
            with self._lock:
                self._num_calls -= 1
                self._begin_due()
            for ticket in group[1:]:
                ticket.turn.release()

    def _begin_due(self) -> None:
        """Begin the calls that need not wait for one that runs. Under the lock."""
        while self._waiting and (not self._num_calls or self._waiting_size >= self._size_beside) and self._begin_one():
            pass

    def _begin_one(self) -> bool:
        """Give the lead of the next ones in line to the first of them, if there are any and a call may begin. Under the lock."""
        if not self._waiting or self._num_calls == self._max_calls:
            return False
        sizes = list(accumulate(ticket.size for ticket in self._waiting))
        count = max(1, bisect_right(sizes, self._max_size))
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        self._waiting_size -= sizes[count - 1]
        self._num_calls += 1
        group[0].group = group
        group[0].turn.release()
        return True
