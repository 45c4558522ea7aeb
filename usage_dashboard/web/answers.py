"""What a WSGI application answers, made whole in a thread, and sent from the event loop.

An answer is sent with its length and never before it is complete: a client that is slow keeps no thread and no transaction
waiting, and one that gets less than was announced knows that the rest is missing. Large ones wait in a temporary file.
"""

import tempfile
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import IO, Any, Final

from usage_dashboard.web.environ import Environ

IN_MEMORY_BYTES: Final = 1024 * 1024
PIECE_BYTES: Final = 128 * 1024

Send = Callable[[dict[str, Any]], Awaitable[None]]
WSGIApplication = Callable[[Environ, Any], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers, and the body: bytes, or a file that stands at its end."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes | IO[bytes]


def ask(application: WSGIApplication, environ: Environ) -> Answer:
    """The application's whole answer. An error on the way rises here, and nothing of the answer is sent."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: object = None) -> None:
        started[:] = [(status, headers)]

    pieces = application(environ, start_response)
    try:
        body = b"".join(pieces) if isinstance(pieces, list) else _gathered(pieces)
    finally:
        if hasattr(pieces, "close"):
            pieces.close()
    ((status, headers),) = started
    return Answer(int(status[:3]), _encoded(headers, body), body)


async def send_answer(send: Send, answer: Answer) -> None:
    """All of it, as fast as the client takes it."""
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    if isinstance(answer.body, bytes):
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})
        return
    with answer.body as file:
        file.seek(0)
        while piece := file.read(PIECE_BYTES):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _gathered(pieces: Iterable[bytes]) -> bytes | IO[bytes]:
    """The pieces in one, in a file as soon as they are too many for memory."""
    kept: list[bytes] = []
    num_bytes = 0
    for piece in (several := iter(pieces)):
        kept.append(piece)
        num_bytes += len(piece)
        if num_bytes > IN_MEMORY_BYTES:
            return _in_a_file(chain(kept, several))
    return b"".join(kept)


def _in_a_file(pieces: Iterable[bytes]) -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed once it is sent
    try:
        file.writelines(pieces)
        file.flush()
    except BaseException:
        file.close()
        raise
    return file


def _encoded(headers: list[tuple[str, str]], body: bytes | IO[bytes]) -> list[tuple[bytes, bytes]]:
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    if not isinstance(body, bytes) and all(name != b"content-length" for name, _ in encoded):
        encoded.append((b"content-length", b"%d" % body.tell()))
    return encoded
