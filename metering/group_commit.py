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
    __slots__ = ("error", "item", "leads", "size", "turn")

    def __init__(self, item: T, size: int) -> None:
        self.item = item
        self.size = size
        self.leads = False
        self.error: BaseException | None = None
        self.turn = threading.Semaphore(0)


class GroupCommit(Generic[T]):
    """Calls `store` with what was submitted since its last call, in order, of `max_size` in all unless one item is larger.

    One call at a time in a process.
    """

    def __init__(self, store: Callable[[Sequence[T]], None], *, max_size: int) -> None:
        self._store = store
        self._max_size = max_size
        self._lock = threading.Lock()
        self._waiting: list[_Ticket[T]] = []
        self._has_leader = False

    def submit(self, item: T, *, size: int) -> None:
        """Returns when a call of `store` that held the item has returned; raises what that call raised."""
        ticket = _Ticket(item, size)
        with self._lock:
            self._waiting.append(ticket)
            ticket.leads = not self._has_leader
            self._has_leader = True
        if not ticket.leads:
            ticket.turn.acquire()
        if ticket.leads:
            self._lead()
        if ticket.error is not None:
            raise ticket.error

    def _lead(self) -> None:
        """Store what waits, the leader's own item among it, wake its owners, and pass the lead on."""
        group = self._next_group()
        try:
            self._store([ticket.item for ticket in group])
        except BaseException as error:
            for ticket in group:
                ticket.error = error
            raise
        finally:
            with self._lock:
                next_leader = self._waiting[0] if self._waiting else None
                self._has_leader = next_leader is not None
            if next_leader is not None:
                next_leader.leads = True
                next_leader.turn.release()
            for ticket in group:
                if not ticket.leads:
                    ticket.turn.release()

    def _next_group(self) -> list[_Ticket[T]]:
        with self._lock:
            sizes = accumulate(ticket.size for ticket in self._waiting)
            count = max(1, sum(1 for _ in takewhile(lambda size: size <= self._max_size, sizes)))
            group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group
