"""When an answer of unknown length is broken off, over real connections."""

import contextlib
import socket
from collections.abc import Iterator
from threading import Thread
from typing import Final

import pytest
from django.http import StreamingHttpResponse

from usage_dashboard.downloads import LOOK_EVERY_SECONDS, Download

HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\nset-cookie: seen=yes; Path=/\r\ntransfer-encoding: chunked\r\n"
    b"server: granian\r\ndate: Sun, 22 Nov 2026 21:58:33 GMT\r\n"
)
FIRST: Final = b"day,requests\r\n"
LAST: Final = b"INCOMPLETE"


class BrokenError(Exception):
    """What stops the answer."""


@pytest.fixture
def connections() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Two connections to one port; of each the server's side and the client's."""
    with contextlib.ExitStack() as exits:
        listener = exits.enter_context(socket.create_server(("127.0.0.1", 0)))
        pairs = []
        for _ in range(2):
            client = exits.enter_context(socket.create_connection(listener.getsockname()[:2], timeout=5))
            pairs.append((exits.enter_context(listener.accept()[0]), client))
        yield pairs


@pytest.mark.parametrize("extra", [b"", b"connection: close\r\n"])
def test_a_broken_download_ends_after_the_last_byte_of_its_last_piece(
    connections: list[tuple[socket.socket, socket.socket]], extra: bytes
) -> None:
    (server, client), (_, neighbour) = connections
    download = broken_download(server.getsockname()[1])
    server.sendall(HEAD + extra + b"\r\n")
    for piece in (FIRST, LAST):
        assert next(download) == piece
    server.sendall(chunk(FIRST) + chunk(LAST)[:-1])
    with breaking_off(download) as thread:
        thread.join(10 * LOOK_EVERY_SECONDS)
        assert thread.is_alive(), "it was broken off too early"
        server.sendall(chunk(LAST)[-1:])
    received = b"".join(iter(lambda: client.recv(1000), b""))
    assert received == HEAD + extra + b"\r\n" + chunk(FIRST) + chunk(LAST)
    neighbour.setblocking(False)
    with pytest.raises(BlockingIOError):
        neighbour.recv(1)


def broken_download(port: int) -> Download:
    def pieces() -> Iterator[bytes]:
        yield FIRST
        yield LAST
        raise BrokenError

    response = StreamingHttpResponse(pieces(), content_type="text/csv")
    response.set_cookie("seen", "yes")
    return Download(response, port=port)


@contextlib.contextmanager
def breaking_off(download: Download) -> Iterator[Thread]:
    """The download runs into its error in a thread of its own; at the end of the block it is broken off."""

    def run_into_the_error() -> None:
        with pytest.raises(BrokenError):
            next(download)

    thread = Thread(target=run_into_the_error)
    thread.start()
    yield thread
    thread.join(5)
    assert not thread.is_alive()


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(piece), piece)
