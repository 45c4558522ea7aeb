"""A limit of time for request bodies.

granian (2.8) has none: it calls the application before the body is there, and a read waits for the client, and keeps its
thread waiting, for as long as the client likes. Here a watchdog, one thread per process, drops the connection of a body that
takes too long. The read then ends with what has come, that is refused, and the thread is free.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import BadRequest

LOOK_EVERY_SECONDS: Final = 0.25
CROWDED_SHARE: Final = 4
"""When all threads wait for bodies, none may take longer than this part of its time."""

_waiting: Final[dict[int, "Body"]] = {}
_watchdog_lock: Final = threading.Lock()


class Body:
    """`wsgi.input` as Django reads it, never beyond its declared length. Raises BadRequest if the client sends less.

    `protocol` is granian's object that answers the request, from any thread.
    """

    def __init__(self, body: Any, protocol: Any) -> None:
        self._body = body
        self._protocol = protocol
        self._started_at = time.monotonic()

    def read(self, size: int) -> bytes:
        piece = self._watched(self._body.read, size)
        if len(piece) < size:
            raise BadRequest("The body ended too early or took too long.")
        return piece

    def readline(self, size: int) -> bytes:
        return self._watched(self._body.readline, size)

    def end_if_older(self, seconds: float) -> None:
        """Drop the connection of a body that has been on its way for longer, unless its request is answered already."""
        if time.monotonic() - self._started_at > seconds:
            # An answer shorter than it says makes the server close at once, without waiting for the rest of the request.
            self._protocol.response_iter(408, [("Connection", "close"), ("Content-Length", "1")], iter(()))

    def _watched(self, read: Callable[[int], bytes], size: int) -> bytes:
        if not _watchdog_lock.locked():
            _start_watchdog()
        _waiting[id(self)] = self
        try:
            return read(size)
        finally:
            del _waiting[id(self)]


def _start_watchdog() -> None:
    """Once per process; its lock stays held as long as it runs."""
    if _watchdog_lock.acquire(blocking=False):
        threading.Thread(target=_watch, name="request bodies", daemon=True).start()


def _watch() -> None:
    while True:
        time.sleep(LOOK_EVERY_SECONDS)
        bodies = list(_waiting.values())
        crowded = len(bodies) >= settings.WEB_THREADS
        for body in bodies:
            body.end_if_older(settings.REQUEST_BODY_TIMEOUT_SECONDS / (CROWDED_SHARE if crowded else 1))
