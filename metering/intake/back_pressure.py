"""Back-pressure: ingest slows down while the rollups run and fall behind all the same, so that they catch up.

After each transaction ingest rests, the longer the further the rollups are behind; senders wait for their answers a little
longer and so send more slowly. Nothing is refused. While no rollup runs, because the worker is down, rests would help nobody:
events are then taken at full speed.
"""

import logging
import threading
import time
from typing import Any, Final

from django.conf import settings

from metering.rollups.run import IS_ROLLING_UP, IS_WAITING

logger = logging.getLogger(__name__)
LOOK_EVERY_SECONDS: Final = 1.0
MOST_RESTS: Final = 7.0
"""A rest takes at most so many times what the transaction took …"""
LONGEST_REST_SECONDS: Final = 1.0
"""… and no longer than this: a sender's patience has an end."""

# The oldest by id is, to the duration of a transaction, the oldest by arrival, and found without reading all that wait.
LAG_SQL: Final = f"""
SELECT extract(epoch FROM clock_timestamp() - received_at)::float8
FROM metering_ingestbatch WHERE {IS_WAITING} AND {IS_ROLLING_UP}
ORDER BY id LIMIT 1
"""


class Pace:
    """How much ingest rests in this process; looks at the rollups once a second."""

    def __init__(self) -> None:
        self._looking = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Begin anew, at full speed."""
        self._rests = 0.0
        self._looked_at = float("-inf")

    def look(self, cursor: Any) -> None:
        """See how far behind the rollups are, unless that was just seen."""
        if time.monotonic() < self._looked_at + LOOK_EVERY_SECONDS or not self._looking.acquire(blocking=False):
            return
        try:
            cursor.execute(LAG_SQL)
            found = cursor.fetchone()
            self._set(found[0] if found else 0.0)
            self._looked_at = time.monotonic()
        finally:
            self._looking.release()

    def rest(self, transaction_seconds: float) -> None:
        """Rest after a transaction that took so long, if it must be."""
        if self._rests:
            time.sleep(min(self._rests * transaction_seconds, LONGEST_REST_SECONDS))

    def _set(self, lag_seconds: float) -> None:
        before, self._rests = self._rests, rests(lag_seconds)
        if bool(before) != bool(self._rests):
            course = "slower" if self._rests else "at full speed again"
            logger.warning("Usage events are taken %s: the rollups are %.0f s behind.", course, lag_seconds)


pace: Final = Pace()


def rests(lag_seconds: float) -> float:
    """How many times a transaction's duration ingest rests after it, when running rollups lag by so much.

    None up to SLOW_DOWN_LAG_SECONDS, one at twice that, and so on; none at all if that is 0.
    """
    if not settings.SLOW_DOWN_LAG_SECONDS:
        return 0.0
    times_too_far: float = lag_seconds / settings.SLOW_DOWN_LAG_SECONDS - 1
    return min(max(0.0, times_too_far), MOST_RESTS)
