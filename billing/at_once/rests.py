"""How long to rest between two runs: little at first, so that a burst is visible at once, and more while events keep coming."""

from typing import Final

from django.conf import settings

FIRST_SECONDS: Final = 0.05
"""Also from the word that events arrived to the first run: what is sent together arrives within it."""
GROWTH: Final = 1.5


class Rests:
    """Those of one turn."""

    def __init__(self) -> None:
        self._seconds = FIRST_SECONDS / GROWTH

    def next(self) -> float:
        """Seconds: each rest is longer than the one before, up to ROLL_UP_REST_SECONDS."""
        self._seconds = min(self._seconds * GROWTH, settings.ROLL_UP_REST_SECONDS)
        return self._seconds
