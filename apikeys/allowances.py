"""How much callers may do in a minute that is of no use to anybody, as one process counts it, without a query."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from time import monotonic
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
MAX_KEPT: Final = 10_000


@dataclass(slots=True)
class Allowance:
    """What is left, as of a moment of the monotonic clock; it grows with time."""

    left: float
    at: float


class Allowances(Generic[K]):
    """Those of many callers. Of too many, the one that was quiet for longest is forgotten.

    `most` is what a caller may have in hand, and what grows in a minute; with 0 there is no limit.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, Allowance] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def forget(self) -> None:
        with self._lock:
            self._kept.clear()

    def seconds_to_wait(self, caller: K, *, most: float) -> float:
        """Until the caller may do something again; 0 for those who may now."""
        if not most or caller not in self._kept:
            return 0
        with self._lock:
            return max(0.0, (1 - self._of(caller, most).left) * 60 / most)

    def take(self, caller: K, amount: float, *, most: float) -> None:
        """So much less is left. It may become less than nothing: then there is more to wait for."""
        if most:
            with self._lock:
                self._of(caller, most).left -= amount

    def _of(self, caller: K, most: float) -> Allowance:
        """As of now. Under the lock."""
        now = monotonic()
        allowance = self._kept.setdefault(caller, Allowance(most, now))
        allowance.left = min(most, allowance.left + (now - allowance.at) * most / 60)
        allowance.at = now
        self._kept.move_to_end(caller)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return allowance
