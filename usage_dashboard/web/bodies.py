"""Bodies of requests: taken on the event loop, before a thread is, and within limits of size, time, number and memory."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings

SMALL_BYTES: Final = 16 * 1024
"""Bodies of this size are limited by their number alone, so that large ones of others cannot keep them out."""
GIVE_WAY_AFTER_SECONDS: Final = 1.0
"""Beyond a limit a body that has been on its way for longer is given up for a new one."""

Receive = Callable[[], Awaitable[dict[str, Any]]]


class RefusedError(Exception):
    """A request whose body is not taken: the status, a code for programs, and a sentence for people."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(eq=False, slots=True)
class Coming:
    """A body on its way. `large_bytes` is what of it counts against the limit of memory."""

    deadline: asyncio.Timeout
    began_at: float
    large_bytes: int = 0


class Bodies:
    """The bodies of one process, from their first byte until their request is answered. For one event loop."""

    def __init__(self) -> None:
        self._num = 0
        self._large_bytes = 0
        self._coming: dict[Coming, None] = {}  # the oldest first

    async def take(self, receive: Receive, *, declared: int | None, most: int) -> bytes:
        """The whole body, which counts as in flight until it is given to `done`. Raises RefusedError.

        `declared` is its Content-Length, if it has one; `most` the bytes that it may have.
        """
        if declared is not None and declared > most:
            raise _too_large(most)
        if self._num >= settings.REQUEST_BODIES_MAX:
            self._make_room(self._oldest())
        now = asyncio.get_running_loop().time()
        coming = Coming(asyncio.timeout(settings.REQUEST_BODY_TIMEOUT_SECONDS), now)
        self._coming[coming] = None
        self._num += 1
        try:
            async with coming.deadline:
                return await self._read(receive, coming, declared, most)
        except BaseException as error:
            self._num -= 1
            self._large_bytes -= coming.large_bytes
            if isinstance(error, TimeoutError):
                raise RefusedError(
                    HTTPStatus.REQUEST_TIMEOUT, "body_timeout", "The body of the request took too long."
                ) from error
            raise
        finally:
            del self._coming[coming]

    def done(self, body: bytes) -> None:
        """The request is answered."""
        self._num -= 1
        if len(body) > SMALL_BYTES:
            self._large_bytes -= len(body)

    async def _read(self, receive: Receive, coming: Coming, declared: int | None, most: int) -> bytes:
        pieces: list[bytes] = []
        num_bytes = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise RefusedError(HTTPStatus.BAD_REQUEST, "incomplete_body", "The body ended too early.")
            piece: bytes = message.get("body", b"")
            pieces.append(piece)
            num_bytes += len(piece)
            if num_bytes > most:
                raise _too_large(most)
            if num_bytes > SMALL_BYTES:
                self._count(coming, num_bytes)
            if num_bytes == declared or not message.get("more_body", False):
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _count(self, coming: Coming, num_bytes: int) -> None:
        more = num_bytes - coming.large_bytes
        if self._large_bytes + more > settings.REQUEST_BODIES_MAX_BYTES:
            self._make_room(self._oldest(large=True, beside=coming))
        self._large_bytes += more
        coming.large_bytes = num_bytes

    def _oldest(self, *, large: bool = False, beside: Coming | None = None) -> Coming | None:
        found = (one for one in self._coming if one is not beside and (one.large_bytes or not large))
        return next(found, None)

    def _make_room(self, oldest: Coming | None) -> None:
        """Give up a body that has had its time, or raise RefusedError for the new one."""
        now = asyncio.get_running_loop().time()
        if oldest is None or now - oldest.began_at < GIVE_WAY_AFTER_SECONDS:
            raise RefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE, "too_busy", "Too many requests are on their way; send it again."
            )
        oldest.deadline.reschedule(now)


def _too_large(most: int) -> RefusedError:
    return RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body_too_large",
        f"A body can have at most {most:,} bytes at this address.",
    )
