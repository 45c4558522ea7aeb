"""Arrivals: whoever stores events says so, so that whoever rolls up need not wait for its turn by the clock.

PostgreSQL carries the word (NOTIFY), after the commit and in a transaction of its own that waits for no disk: all that say it
in the transaction that stores commit one after the other, which is the end of commits in groups. Whoever hears it looks again,
after a rest, until nothing is new: so it is said after a silence, and now and then, but not for every batch.

A word that is lost costs the time until beat's next turn, and nothing else.
"""

import logging
import time
from typing import Any, Final

from psycopg2 import Error

logger = logging.getLogger(__name__)
CHANNEL: Final = "usage_events_arrived"
SILENCE_SECONDS: Final = 0.03
"""Shorter than the time after which those who hear it look again: what comes sooner after the last batch is found then."""
AGAIN_SECONDS: Final = 1.0
"""So often it is said where batches follow upon each other, in case those who hear it have changed."""
SAY_SQL: Final = f"SET LOCAL synchronous_commit = off; NOTIFY {CHANNEL}"


class Arrivals:
    """What this process has said."""

    def __init__(self) -> None:
        self._stored_at = self._said_at = float("-inf")

    def note(self, cursor: Any) -> None:
        """A batch is committed: say so if it must be said. Raises nothing: what is stored is stored."""
        now = time.monotonic()
        was_silent = now >= self._stored_at + SILENCE_SECONDS
        self._stored_at = now
        if not was_silent and now < self._said_at + AGAIN_SECONDS:
            return
        self._said_at = now
        try:
            cursor.execute(SAY_SQL)
        except Error:
            logger.warning("That events came in could not be said: beat's next turn finds them.", exc_info=True)


arrivals: Final = Arrivals()
