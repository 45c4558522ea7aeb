"""What a process remembers for a moment and then writes to the database, in a thread of its own, so that nobody waits for it."""

import atexit
import logging
import threading
from collections.abc import Callable
from typing import Final

from django.db import DatabaseError, connection

logger = logging.getLogger(__name__)
IDLE_SECONDS: Final = 10.0


class Later:
    """Calls `write` some seconds after `remind`, and once more when the process ends; with 0 seconds, not by itself.

    `write` takes what there is and puts it back where it raises django.db.DatabaseError: then it is called again. The thread
    begins with the first reminder, and holds no connection while there are none.
    """

    def __init__(self, what: str, seconds: Callable[[], float], write: Callable[[], object]) -> None:
        self._what = what
        self._seconds = seconds
        self._write = write
        self._lock = threading.Lock()
        self._has_some = threading.Event()
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def remind(self) -> None:
        """There is something to write. Cheap to call again and again."""
        if not self._has_some.is_set():
            self._has_some.set()
            self._require_thread()

    def taken(self) -> None:
        """What there was is being written; what comes from now on needs a reminder of its own."""
        self._has_some.clear()

    def stop(self) -> None:
        """End the thread, and write what is left."""
        self._is_over.set()
        self._has_some.set()
        if self._thread is not None:
            self._thread.join()
        self._write_safely()

    def _require_thread(self) -> None:
        if not self._seconds() or self._is_over.is_set():
            return
        with self._lock:
            # A process that was forked has the object, and no thread.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._write_on, name=self._what, daemon=True)
                self._thread.start()
                atexit.register(self.stop)

    def _write_on(self) -> None:
        while not self._is_over.is_set():
            if not self._has_some.wait(IDLE_SECONDS):
                connection.close()
                self._has_some.wait()
            self._is_over.wait(self._seconds())
            self._write_safely()
        connection.close()

    def _write_safely(self) -> None:
        try:
            self._write()
        except DatabaseError as error:
            connection.close()
            self._has_some.set()
            logger.warning("The %s could not be written now, and are written later: %s", self._what, error)
        except Exception:
            logger.exception("The %s could not be written.", self._what)
