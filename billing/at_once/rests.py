"""How long to rest between two runs: little at first, so that a burst is visible at once, and more while events keep coming."""

import time
from collections.abc import Callable
from typing import Final

from django.conf import settings

FIRST_SECONDS: Final = 0.05
"""Also the longest from the word that events arrived to the first run: what is sent together arrives within it."""
CALM_SECONDS: Final = 0.01
GROWTH: Final = 1.5


class Rests:
    """Those of one turn, made at its start."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seconds = FIRST_SECONDS / GROWTH
        self._run_began_at = now()

    def next(self) -> float:
        """Seconds to rest now that a run is over. With that run they are longer each time, up to ROLL_UP_REST_SECONDS.

        So small runs of a trickle are few, and behind large ones, of which each event waits for two, hardly a rest is added.
        """
        longest: float = settings.ROLL_UP_REST_SECONDS
        self._seconds = min(self._seconds * GROWTH, longest)
        now = self._now()
        rest = max(self._seconds - max(now - self._run_began_at, 0), min(FIRST_SECONDS, longest))
        self._run_began_at = now + rest
        return rest


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
