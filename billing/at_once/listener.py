"""The thread of a worker that hears when events arrive (`metering.rollups.arrivals`), and rolls them up.

It needs PostgreSQL alone: usage is visible at once also while Redis or beat is down. Whatever it misses, because nobody said
it, its connection died or it is dead itself, beat's next turn finds.
"""

import logging
import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

import psycopg2
from django.conf import settings
from django.db import close_old_connections, connection

from billing.at_once import turn
from billing.at_once.rests import FIRST_SECONDS, Rests, until_calm
from metering.rollups.arrivals import CHANNEL

logger = logging.getLogger(__name__)
TURN_SECONDS: Final = 10.0
ELSEWHERE_SECONDS: Final = 0.25
"""Until it asks again for a turn that another one has, and might not end."""
RETRY_SECONDS: Final = 2.0
"""After an error."""
QUIET_SECONDS: Final = 60
"""Without a word for so long it asks whether the connection still lives."""
STOP_SECONDS: Final = 2.0
# A connection that nothing is sent over, and whose other end is gone, is noticed within a minute.
ALIVE: Final = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 30_000}

NEWEST_BATCH_SQL: Final = "SELECT max(id) FROM metering_ingestbatch"

Take = Callable[[turn.Rest], int | None]


class Listener:
    """`take` is what it does when events arrive: `turn.take`, or something around it."""

    def __init__(self, take: Take = turn.take) -> None:
        self._take = take
        self._stopping = threading.Event()
        self._has_told = False
        self._wake, self._woken = os.pipe()
        self._thread = threading.Thread(target=self._run, name="arrivals", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop_soon(self) -> None:
        """After the run that it is at."""
        self._stopping.set()
        os.write(self._woken, b"\0")

    def stop(self) -> None:
        """Now, or in the middle of a run that takes long: then it is as if that had not begun."""
        self.stop_soon()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with closing(_connection()) as words:
                    self._listen(words)
            except Exception:
                if not self._has_told:  # once, until it works again
                    logger.exception("Until this works again usage is rolled up at beat's turns alone")
                self._has_told = True
                self._stopping.wait(RETRY_SECONDS)
        connection.close()

    def _listen(self, words: Any) -> None:
        """Before the first word everything may have arrived already."""
        with words.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        self._roll_up()
        while not self._stopping.is_set():
            self._has_told = False
            while not self._stopping.is_set() and not self._hears(words):
                pass
            self._look()

    def _look(self) -> None:
        """Roll up what a word was about. What follows so soon that nobody says it may not be here yet: without a rest after a
        run, or without a run because another one was first, it is looked for once more."""
        close_old_connections()
        until_calm(_newest_batch, self._stopping.wait)
        if not self._roll_up() or settings.ROLL_UP_REST_SECONDS < FIRST_SECONDS:
            self._stopping.wait(FIRST_SECONDS)
            self._roll_up()

    def _roll_up(self) -> int:
        """Until nothing is new; returns the number of events.

        A turn ends after TURN_SECONDS, and is noted as done, however long events keep coming.
        """
        num_events = 0
        while not self._stopping.is_set():
            close_old_connections()
            ends_at = time.monotonic() + TURN_SECONDS
            taken = self._take(self._rest(ends_at))
            num_events += taken or 0
            if taken is None:
                self._stopping.wait(ELSEWHERE_SECONDS)
            elif time.monotonic() < ends_at:
                break
        return num_events

    def _rest(self, ends_at: float) -> turn.Rest:
        rests = Rests()
        return lambda: not self._stopping.wait(rests.next()) and time.monotonic() < ends_at

    def _hears(self, words: Any) -> bool:
        """Waits for a word. False if something else woke it. Raises psycopg2.Error if the connection has died."""
        if not select.select([words, self._wake], [], [], QUIET_SECONDS)[0]:
            with words.cursor() as cursor:
                cursor.execute("SELECT 1")
        words.poll()
        heard = bool(words.notifies)
        words.notifies.clear()
        return heard


def _newest_batch() -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(NEWEST_BATCH_SQL)
        found: int | None = cursor.fetchone()[0]
    return found


def _connection() -> Any:
    """One of its own, outside of transactions: words come between them."""
    parameters = connection.get_connection_params()
    for name in ("cursor_factory", "context"):
        parameters.pop(name, None)
    words = psycopg2.connect(**{**ALIVE, **parameters})
    words.autocommit = True
    return words
