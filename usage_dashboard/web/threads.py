"""Threads for work that blocks, called from the event loop: no more than so many, and cheap for thousands of calls a second."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None]


class Threads:
    """A pool of one event loop. Its threads end with the process."""

    def __init__(self, number: int, name: str) -> None:
        self._calls: SimpleQueue[tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()
        self._outcomes: deque[Outcome] = deque()
        self._is_awake = False
        self._loop = asyncio.get_running_loop()
        for place in range(number):
            threading.Thread(target=self._work, name=f"{name} {place}", daemon=True).start()

    def call(self, function: Callable[..., Any], *arguments: Any) -> "asyncio.Future[Any]":
        """What `function` returns or raises in a thread."""
        future = self._loop.create_future()
        self._calls.put((future, function, arguments))
        return future

    def _work(self) -> None:
        while True:
            future, function, arguments = self._calls.get()
            try:
                self._outcomes.append((future, function(*arguments), None))
            except BaseException as error:  # noqa: BLE001 - rises where the call is awaited
                self._outcomes.append((future, None, error))
            del future, function, arguments
            if not self._is_awake:  # one call wakes the loop for all that end before it looks
                self._is_awake = True
                self._loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        self._is_awake = False
        while self._outcomes:
            future, value, error = self._outcomes.popleft()
            if future.done():
                continue
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)
