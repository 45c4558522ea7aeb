"""How long to rest between two runs: little at first, so that a burst is visible at once, and more while events keep coming."""

from collections.abc import Callable
from typing import Final

from django.conf import settings

FIRST_SECONDS: Final = 0.05
"""Also the longest from the word that events arrived to the first run: what is sent together arrives within it."""
CALM_SECONDS: Final = 0.01
GROWTH: Final = 1.5


class Rests:
    """Those of one turn."""

    def __init__(self) -> None:
        self._seconds = FIRST_SECONDS / GROWTH

    def next(self) -> float:
        """Seconds: each rest is longer than the one before, up to ROLL_UP_REST_SECONDS."""
        self._seconds = min(self._seconds * GROWTH, settings.ROLL_UP_REST_SECONDS)
        return self._seconds


def until_calm(newest: Callable[[], int | None], wait: Callable[[float], bool]) -> None:
    """Return when for CALM_SECONDS no batch came, or FIRST_SECONDS are over.

    `newest` tells the last batch that came. `wait` waits so many seconds, and says whether to go on at once.
    """
    last = newest()
    for _ in range(round(FIRST_SECONDS / CALM_SECONDS)):
        if wait(CALM_SECONDS):
            return
        before, last = last, newest()
        if last == before:
            return
