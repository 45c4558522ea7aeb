"""Answers that break off where an error stopped them, instead of looking complete.

granian (2.8) ends an answer of unknown length in good order when an error rises out of it. So the connection is closed here
before the server learns of the error, and the client misses the end. granian does not tell which of the process's sockets
an answer goes to: it is the one that has been given just the bytes of this answer since it began. Linux counts those;
elsewhere such an answer ends in good order. So it does over HTTP/1.0, where the end of the connection is the end of the answer,
and over HTTP/2, where other answers share the connection.
"""

import contextlib
import fcntl
import logging
import os
import socket
import struct
import sys
import termios
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.conf import settings
from django.http.response import HttpResponse, HttpResponseBase

logger = logging.getLogger(__name__)
HEAD_EXTRAS: Final = (0, len("connection: close\r\n"))
"""What the server may have added to an answer's head, in bytes; else each byte is known, so that none is missing at the end."""
LOOK_EVERY_SECONDS: Final = 0.02
ACKNOWLEDGED_AT: Final = 120
"""Where the 64-bit number of acknowledged bytes stands in Linux's `struct tcp_info`."""

Connection = tuple[int, Any]
"""A descriptor and the address at the other end."""


def answer(response: HttpResponseBase, environ: dict[str, Any]) -> Iterable[bytes]:
    """What the server is to send of Django's response: all at once, or in pieces that break off where an error does."""
    if isinstance(response, HttpResponse):
        body = [response.content]
        response.close()
        return body
    if response.has_header("Content-Length") or environ["SERVER_PROTOCOL"] != "HTTP/1.1":
        return response  # with a length the server sees for itself that the end is missing
    return Download(response, port=int(environ["SERVER_PORT"]))


class Download:
    """The pieces of an answer of unknown length."""

    def __init__(self, response: Any, *, port: int) -> None:
        self._response = response
        self._pieces = iter(response)
        self._port = port
        self._written_before = _bytes_written(port)
        self._num_bytes = _head_bytes(response)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            piece: bytes = next(self._pieces)
        except StopIteration:
            raise
        except BaseException:
            self._break_off()
            raise
        if piece:
            self._num_bytes += len(piece) + len(b"%x\r\n\r\n" % len(piece))
        return piece

    def close(self) -> None:
        self._response.close()

    def _break_off(self) -> None:
        """Close the connection once the client has been sent all there is; one that does not read has a while for it."""
        give_up_at = time.monotonic() + settings.REQUEST_BODY_TIMEOUT_SECONDS
        while self._written_before and time.monotonic() < give_up_at:
            found = [one for one, written in _bytes_written(self._port).items() if self._is_own(one, written)]
            if len(found) == 1:
                _shut_down(found[0])
                return
            time.sleep(LOOK_EVERY_SECONDS)
        logger.warning("A download that an error stopped could not be broken off; its end looks complete.")

    def _is_own(self, connection: Connection, written: int) -> bool:
        before = self._written_before.get(connection)
        return before is not None and written - before - self._num_bytes in HEAD_EXTRAS


def _head_bytes(response: HttpResponseBase) -> int:
    """Of the status line and the headers, with those that the server adds to them."""
    own = (
        f"HTTP/1.1 {response.status_code} {response.reason_phrase}",
        "transfer-encoding: chunked",
        "server: granian",
        "date: Sun, 01 Nov 2026 00:00:00 GMT",
        "",
    )
    lines = [*own, *(f"{name}: {value}" for name, value in response.items()), *map(str, response.cookies.values())]
    return sum(len(line) + len("\r\n") for line in lines)


def _bytes_written(port: int) -> dict[Connection, int]:
    """All bytes that each open connection to this port was ever given to send."""
    written: dict[Connection, int] = {}
    if sys.platform != "linux":
        return written
    for descriptor in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 - names are enough
        with contextlib.suppress(OSError), _socket(descriptor) as opened:
            if opened.family in {socket.AF_INET, socket.AF_INET6} and opened.getsockname()[1] == port:
                peer = opened.getpeername()  # not a listening socket, then
                info = opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, ACKNOWLEDGED_AT + 8)
                (waiting,) = struct.unpack("=i", fcntl.ioctl(opened.fileno(), termios.TIOCOUTQ, bytes(4)))
                written[descriptor, peer] = struct.unpack_from("=Q", info, ACKNOWLEDGED_AT)[0] + waiting
    return written


def _shut_down(connection: Connection) -> None:
    descriptor, peer = connection
    with contextlib.suppress(OSError), _socket(descriptor) as opened:
        if opened.getpeername() == peer:
            opened.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def _socket(descriptor: int) -> Iterator[socket.socket]:
    """The socket behind a descriptor that is the server's, through a copy of it. Raises OSError if there is none."""
    copy = os.dup(descriptor)
    try:
        opened = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise
    with opened:
        yield opened
