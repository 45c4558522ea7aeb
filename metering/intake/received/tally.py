"""What came in since the last write, in this process's memory.

A request costs one addition for each kind of outcome that it has, whatever the number of its events. A thread of its own
writes what was counted about once a second (`metering.intake.received.writing`), so that no sender waits for it. A kill loses
the counts of that second at most; events are stored before they are counted, and never lost with them.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from django.conf import settings
from django.db import DatabaseError

from accounts.installation.later import Later
from metering.intake.received import writing
from metering.intake.received.writing import CountKey, Refused

MAX_KEYS: Final = 5_000
"""Counts of different things that wait at a time; more than this code has names for."""
MAX_SENDERS: Final = 100
REFUSED_OF_A_SENDER: Final = 20
MAX_UNKNOWN_KEYS: Final = 1_000


@dataclass(slots=True)
class Received:
    """What one write takes along."""

    counts: Counter[CountKey] = field(default_factory=Counter)
    refused: dict[tuple[int, int], deque[Refused]] = field(default_factory=dict)
    """The last ones of each sender: (organization, token)."""
    unknown_keys: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    """(key, source, token)"""

    def add(self, counts: Iterable[tuple[CountKey, int]]) -> None:
        for key, number in counts:
            if number and (key in self.counts or len(self.counts) < MAX_KEYS):
                self.counts[key] += number

    def add_refused(self, items: Iterable[Refused]) -> None:
        for item in items:
            if item.sender not in self.refused and len(self.refused) >= MAX_SENDERS:
                continue
            self.refused.setdefault(item.sender, deque(maxlen=REFUSED_OF_A_SENDER)).append(item)

    def add_unknown(self, keys: Iterable[tuple[tuple[str, str, int], int]]) -> None:
        for key, number in keys:
            if key in self.unknown_keys or len(self.unknown_keys) < MAX_UNKNOWN_KEYS:
                self.unknown_keys[key] += number

    def merge(self, other: "Received") -> None:
        self.add(other.counts.items())
        for items in other.refused.values():
            self.add_refused(items)
        self.add_unknown(other.unknown_keys.items())


class Tally:
    """The memory of one process, and the thread that writes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received = Received()
        self._later = Later("ingestion counts", lambda: settings.INGESTION_WRITE_SECONDS, self.write)

    def note(self, add: Callable[[Received], None]) -> None:
        """Count something: `add` is called with what waits, under the lock."""
        with self._lock:
            add(self._received)
        self._later.remind()

    def count(self, key: CountKey, number: int) -> None:
        """Count one thing alone, the most usual case."""
        self.note(lambda received: received.add([(key, number)]))

    def write(self) -> None:
        """Write what waits. What could not be written waits on."""
        self._later.taken()
        with self._lock:
            received, self._received = self._received, Received()
        try:
            writing.write(
                received.counts, [item for items in received.refused.values() for item in items], received.unknown_keys
            )
        except DatabaseError:
            with self._lock:
                self._received.merge(received)
            raise

    def forget(self) -> None:
        """Drop this process's memory (for tests, whose transactions are rolled back)."""
        with self._lock:
            self._received = Received()

    def stop(self) -> None:
        """End the thread, and write what is left."""
        self._later.stop()


tally: Final = Tally()
