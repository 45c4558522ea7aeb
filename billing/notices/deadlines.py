"""Sockets for talking to strangers: one deadline for all operations together, and an end to how much is read.

A time-out of each operation is none for a peer that sends a byte now and then.
"""

import io
import socket
import time
from typing import Any


class Deadline:
    """A moment, so many seconds from when it is made."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds until then. Raises TimeoutError when it has passed."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"not done within {self.seconds:g} s")
        return left


class DeadlineSocket:
    """What `http.client` wants of a socket, over a connected one (plain or TLS).

    Each operation gets the time that is left; reading more than `max_bytes` in all raises OSError.
    """

    def __init__(self, connected: socket.socket, deadline: Deadline, *, max_bytes: int) -> None:
        self._connected = connected
        self._deadline = deadline
        self._max_bytes = max_bytes

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._connected.settimeout(self._deadline.remaining())
            rest = rest[self._connected.send(rest) :]

    def makefile(self, *_mode: Any) -> io.BufferedReader:
        return io.BufferedReader(_Answer(self._connected, self._deadline, self._max_bytes), 1024)

    def close(self) -> None:
        self._connected.close()


class _Answer(io.RawIOBase):
    def __init__(self, connected: socket.socket, deadline: Deadline, max_bytes: int) -> None:
        self._connected = connected
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._num_left = max_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._num_left:
            raise OSError(f"the answer is longer than {self._max_bytes:,} bytes")
        self._connected.settimeout(self._deadline.remaining())
        num_read = self._connected.recv_into(buffer, min(len(buffer), self._num_left))
        self._num_left -= num_read
        return num_read
