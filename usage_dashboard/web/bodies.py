"""Bodies of requests: taken on the event loop, before a thread is, and within limits of size, time, number and memory."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
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

    def extend(self) -> None:
        """A large body has as much more time as what has come of it takes at the least pace."""
        seconds = settings.REQUEST_BODY_TIMEOUT_SECONDS
        seconds += self.large_bytes / settings.REQUEST_BODY_MIN_BYTES_PER_SECOND
        self.deadline.reschedule(self.began_at + seconds)

    def pace(self, now: float) -> float:
        """Bytes per second, of a large one."""
        return self.large_bytes / (now - self.began_at)


class Bodies:
    """The bodies of one process, from their first byte until their request is answered. For one event loop."""

    def __init__(self) -> None:
        self._num = 0
        self._large_bytes = 0
        self._coming: dict[Coming, None] = {}  # the oldest first
        self._leaving: set[Coming] = set()  # those of them that give way, until they are told

    async def take(self, receive: Receive, *, declared: int | None, most: int) -> bytes:
        """The whole body, which counts as in flight until it is given to `done`. Raises RefusedError.

        `declared` is its Content-Length, if it has one; `most` the bytes that it may have.
        """
        if declared is not None and declared > most:
            raise _too_large(most)
        if self._num - len(self._leaving) >= settings.REQUEST_BODIES_MAX:
            self._give_up(next(self._that_may_leave(), None))
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
                raise (_too_busy() if coming in self._leaving else _too_slow()) from error
            raise
        finally:
            del self._coming[coming]
            self._leaving.discard(coming)

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
        leaving_bytes = sum(one.large_bytes for one in self._leaving)
        if self._large_bytes - leaving_bytes + more > settings.REQUEST_BODIES_MAX_BYTES:
            self._give_up(self._slowest_beside(coming))
        self._large_bytes += more
        coming.large_bytes = num_bytes
        if coming not in self._leaving:
            coming.extend()

    def _that_may_leave(self) -> Iterator[Coming]:
        """Those that have had their time, the oldest first."""
        latest = asyncio.get_running_loop().time() - GIVE_WAY_AFTER_SECONDS
        for one in self._coming:
            if one.began_at > latest:
                return
            if one not in self._leaving and not one.deadline.expired():
                yield one

    def _slowest_beside(self, coming: Coming) -> Coming | None:
        """Of the large ones."""
        now = asyncio.get_running_loop().time()
        others = (one for one in self._that_may_leave() if one.large_bytes and one is not coming)
        return min(others, key=lambda one: one.pace(now), default=None)

    def _give_up(self, other: Coming | None) -> None:
        """Another body gives way to the one that is looked at, which is refused if there is none. Either can be sent again."""
        if other is None:
            raise _too_busy()
        self._leaving.add(other)
        other.deadline.reschedule(asyncio.get_running_loop().time())


def _too_busy() -> RefusedError:
    return RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE, "too_busy", "Too many requests are on their way; send it again."
    )


def _too_slow() -> RefusedError:
    return RefusedError(HTTPStatus.REQUEST_TIMEOUT, "body_timeout", "The body of the request took too long.")


def _too_large(most: int) -> RefusedError:
    return RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body_too_large",
        f"A body can have at most {most:,} bytes at this address.",
    )
