"""Waiting for something, with an end."""

import time
from collections.abc import Callable


def until(condition: Callable[[], bool], *, timeout_seconds: float, every_seconds: float = 0.05) -> bool:
    """Whether `condition` became true in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_seconds)
    return True
