"""Webhook receivers that answer one byte now and then, for as long as one listens."""

import contextlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

TRICKLED: Final = b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000
TRICKLED_RECORD: Final = b"\x16\x03\x03\x40\x00" + b"x" * 1000
"""The beginning of a TLS record of 16 KB."""


class SlowReceiver:
    """Listens on a port of its own; `num_asked` connections so far."""

    def __init__(self, answer: bytes, every_seconds: float) -> None:
        self.num_asked = 0
        self._answer = answer
        self._every_seconds = every_seconds
        self._stop = Event()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listening.getsockname()[1]
        self._threads = [Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._stop.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connected, _ = self._listening.accept()
            except OSError:
                return
            self.num_asked += 1
            thread = Thread(target=self._trickle, args=(connected,))
            self._threads.append(thread)
            thread.start()

    def _trickle(self, connected: socket.socket) -> None:
        with connected, contextlib.suppress(OSError):
            for byte in self._answer:
                connected.sendall(bytes([byte]))
                if self._stop.wait(self._every_seconds):
                    return


@contextmanager
def slow_receivers(number: int, *, every_seconds: float, answer: bytes = TRICKLED) -> Iterator[list[SlowReceiver]]:
    receivers = [SlowReceiver(answer, every_seconds) for _ in range(number)]
    try:
        yield receivers
    finally:
        for receiver in receivers:
            receiver.close()
