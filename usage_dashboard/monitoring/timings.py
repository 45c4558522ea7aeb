"""How long requests and tasks take: counted in this process's memory, and added to the database by a thread of its own.

Processes come and go, on any number of machines, and each scrape may reach another one. So none of them is asked for its own
counts: the database has the sum of all, which never becomes less. A kill loses what its process has not written yet.
"""

import threading
from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import DatabaseError, connection, transaction

from accounts.installation.later import Later

REQUEST: Final = "request"
TASK: Final = "task"
BOUNDS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
"""Upper bounds in seconds, inclusive; what takes longer is in the bucket of infinity. Few: a scrape has all for each address."""
INFINITY: Final = float("inf")
MAX_SERIES: Final = 5_000
"""Names and outcomes that wait at a time: more than addresses and tasks there are."""

# In the order of their keys, so that two writers wait in turn.
ADD_SQL: Final = """
INSERT INTO usage_dashboard_timing AS row (kind, name, outcome, at_most, number, seconds)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::float[], %s::bigint[], %s::float[]) ORDER BY 1, 2, 3, 4
ON CONFLICT (kind, name, outcome, at_most) DO UPDATE
SET number = row.number + excluded.number, seconds = row.seconds + excluded.seconds
"""

Bucket = tuple[str, str, str, float]
"""Kind, name, outcome, upper bound."""


@dataclass(slots=True)
class Sum:
    """How many, and how many seconds they took together."""

    number: int = 0
    seconds: float = 0.0

    def add(self, number: int, seconds: float) -> None:
        self.number += number
        self.seconds += seconds


class Timings:
    """The memory of one process, and the thread that writes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[Bucket, Sum] = {}
        self._later = Later("timings", lambda: settings.METRICS_WRITE_SECONDS, self.write)

    def note(self, kind: str, name: str, outcome: str, seconds: float) -> None:
        """Count one. Only where somebody may ask for metrics (`is_measured`)."""
        place = bisect_left(BOUNDS, seconds)
        bucket = (kind, name, outcome, BOUNDS[place] if place < len(BOUNDS) else INFINITY)
        with self._lock:
            self._add(bucket, 1, seconds)
        self._later.remind()

    def write(self) -> None:
        """Write what waits. What could not be written waits on."""
        self._later.taken()
        with self._lock:
            sums, self._sums = self._sums, {}
        try:
            _write(sums)
        except DatabaseError:
            with self._lock:
                for bucket, found in sums.items():
                    self._add(bucket, found.number, found.seconds)
            raise

    def forget(self) -> None:
        """Drop this process's memory (for tests, whose transactions are rolled back)."""
        with self._lock:
            self._sums = {}

    def stop(self) -> None:
        """End the thread, and write what is left."""
        self._later.stop()

    def _add(self, bucket: Bucket, number: int, seconds: float) -> None:
        found = self._sums.get(bucket)
        if found is None:
            if len(self._sums) >= MAX_SERIES:
                return
            found = self._sums[bucket] = Sum()
        found.add(number, seconds)


def is_measured() -> bool:
    """Whether anybody may ask for metrics; if not, nothing is counted and nothing written."""
    return bool(settings.METRICS_TOKEN or settings.METRICS_ADDRESSES)


def _write(sums: dict[Bucket, Sum]) -> None:
    if not sums:
        return
    rows = [(*bucket, found.number, found.seconds) for bucket, found in sums.items()]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit TO off")
        cursor.execute(ADD_SQL, [list(column) for column in zip(*rows, strict=True)])


timings: Final = Timings()
