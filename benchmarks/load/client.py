"""An HTTP client that costs little: prebuilt requests over one kept-alive socket, answers looked at and thrown away."""

import re
import socket
from collections.abc import Iterable, Iterator

from benchmarks.load.servers import HOST

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def post_head(path: str, *, token: str, num_bytes: int, content_type: str = "application/json") -> bytes:
    """The head of a request with a body of this size."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {num_bytes}\r\n\r\n"
    ).encode()


class Client:
    """One kept-alive connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(self, request: bytes) -> bytes:
        """Send a request and return the body of its answer. Raises RuntimeError for any status but 200."""
        self._socket.sendall(request)
        received = bytearray()
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._more()
        head = bytes(received[:end])
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"The server answered {bytes(received[:500])!r}")
        length = _LENGTH.search(head)
        assert length is not None, head
        missing = end + 4 + int(length[1]) - len(received)
        while missing > 0:
            received += (more := self._more())
            missing -= len(more)
        return bytes(received[end + 4 :])

    def download(self, request: bytes) -> Iterator[bytes]:
        """Send a request and yield the pieces of its answer as they come; the connection ends with it."""
        self._socket.sendall(request)
        first = self._more()
        if not first.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"The server answered {first[:300]!r}")
        yield first
        while more := self._socket.recv(1 << 20):
            yield more

    def _more(self) -> bytes:
        received = self._socket.recv(1 << 18)
        if not received:
            raise RuntimeError("The server closed the connection.")
        return received


def send_batches(port: int, requests: Iterable[bytes], *, num_events: int, again: bool = False) -> int:
    """Send requests of `num_events` events each, all new, or all sent before; returns how many were answered.

    Any other answer is an error, but for an empty one, which OTLP has where nothing is rejected.
    """
    client = Client(port)
    counts = b'{"accepted":%d,"duplicates":%d,' % ((0, num_events) if again else (num_events, 0))
    answered = 0
    for request in requests:
        answer = client.exchange(request)
        if answer and not answer.startswith(counts):
            raise RuntimeError(f"Not what becomes of such events: {answer[:300]!r}")
        answered += 1
    return answered
