"""Many small requests, one commit: whoever comes first stores for all who came meanwhile.

A commit costs the same for one event as for thousands, and so does the start of a COPY. Requests therefore queue up within
their process; one of them, the leader, takes all that wait, stores them in one transaction, and hands the lead to one that
came meanwhile. Nobody waits for a clock: alone, a request is stored at once. Each is answered after the commit that holds it.
"""

import threading
from collections.abc import Callable, Sequence
from itertools import accumulate, takewhile
from typing import Generic, TypeVar

T = TypeVar("T")


class _Ticket(Generic[T]):
    __slots__ = ("error", "group", "item", "size", "turn")

    def __init__(self, item: T, size: int) -> None:
        self.item = item
        self.size = size
        self.group: Sequence[_Ticket[T]] = ()  # what this one has to store, itself first; nothing if another stores it
        self.error: BaseException | None = None
        self.turn = threading.Semaphore(0)


class GroupCommit(Generic[T]):
    """Calls `store` with what was submitted meanwhile, in order, of `max_size` in all unless one item is larger.

    At most `max_calls` calls at a time in a process: while one waits for the disk, the next can prepare its rows.
    """

    def __init__(self, store: Callable[[Sequence[T]], None], *, max_size: int, max_calls: int) -> None:
        self._store = store
        self._max_size = max_size
        self._lock = threading.Lock()
        self._waiting: list[_Ticket[T]] = []
        self._num_free = max_calls

    def submit(self, item: T, *, size: int) -> None:
        """Returns when a call of `store` that held the item has returned; raises what that call raised."""
        ticket = _Ticket(item, size)
        with self._lock:
            self._waiting.append(ticket)
            if self._num_free:
                self._num_free -= 1
                ticket.group = self._next_group()
        if not ticket.group:
            ticket.turn.acquire()
        if ticket.group:
            self._lead(ticket.group)
        if ticket.error is not None:
            raise ticket.error

    def _lead(self, group: Sequence[_Ticket[T]]) -> None:
        """Store the group, pass the lead on to the first of those that came meanwhile, and wake the group's owners."""
        try:
            self._store([ticket.item for ticket in group])
        except BaseException as error:
            for ticket in group:
                ticket.error = error
            raise
        finally:
            self._pass_on()
            for ticket in group[1:]:
                ticket.turn.release()

    def _pass_on(self) -> None:
        with self._lock:
            group = self._next_group()
            if not group:
                self._num_free += 1
                return
            group[0].group = group
        group[0].turn.release()

    def _next_group(self) -> Sequence[_Ticket[T]]:
        """The next ones in line, taken out of it."""
        sizes = accumulate(ticket.size for ticket in self._waiting)
        count = max(1, sum(1 for _ in takewhile(lambda size: size <= self._max_size, sizes)))
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group
