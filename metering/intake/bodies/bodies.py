"""The body of a request to a way in: taken whole, unpacked within the limit, and read a few at a time when it is large."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from django.conf import settings
from django.core.exceptions import BadRequest

from metering.intake.bodies.encodings import unpacker_of
from metering.intake.formats.events import UnreadableError

T = TypeVar("T")
LARGE_BYTES: Final = 1024 * 1024
MAX_LARGE: Final = 2
LARGE_WAIT_SECONDS: Final = 1.0

_large: Final = threading.BoundedSemaphore(MAX_LARGE)


def read_body(environ: Mapping[str, Any], read: Callable[[int], bytes], decode: Callable[[bytes], T]) -> T:
    """What `decode` makes of the unpacked body. Raises UnreadableError.

    `environ` describes the request as WSGI does (PEP 3333); `read` gives so many bytes of its body. Large bodies are unpacked
    and decoded a few at a time: each takes memory and the interpreter.
    """
    unpacker = unpacker_of(environ, _packed(environ, read))
    body = unpacker.more(LARGE_BYTES)
    if len(body) < LARGE_BYTES:
        unpacker.require_end()
        return decode(body)
    with _one_of_the_large():
        body += unpacker.more(settings.EVENTS_BODY_MAX_BYTES + 1 - len(body))
        if len(body) > settings.EVENTS_BODY_MAX_BYTES:
            raise _too_large()
        unpacker.require_end()
        return decode(body)


def media_type(environ: Mapping[str, Any]) -> str:
    """The Content-Type without its parameters."""
    declared: str = environ.get("CONTENT_TYPE", "")
    return declared.partition(";")[0].strip().lower()


@contextmanager
def _one_of_the_large() -> Iterator[None]:
    """Raises UnreadableError when it is not this one's turn for long."""
    if not _large.acquire(timeout=LARGE_WAIT_SECONDS):
        raise UnreadableError("too_busy", "Too many large bodies are being read; send it again.", 503)
    try:
        yield
    finally:
        _large.release()


def _packed(environ: Mapping[str, Any], read: Callable[[int], bytes]) -> bytes:
    """The body as it was sent. Raises UnreadableError."""
    declared = _content_length(environ)
    if declared > settings.EVENTS_BODY_MAX_BYTES:
        raise _too_large()
    try:
        body = read(declared)
    except BadRequest as error:
        raise UnreadableError("incomplete_body", str(error)) from error
    if len(body) < declared:
        raise UnreadableError("incomplete_body", f"The body ended after {len(body):,} of {declared:,} bytes.")
    return body


def _content_length(environ: Mapping[str, Any]) -> int:
    """The declared length of the body; 0 for one that is no number, as Django reads it."""
    try:
        return max(0, int(environ.get("CONTENT_LENGTH") or 0))
    except ValueError:
        return 0


def _too_large() -> UnreadableError:
    most = settings.EVENTS_BODY_MAX_BYTES
    return UnreadableError("body_too_large", f"A body can have at most {most:,} bytes, unpacked.", 413)
