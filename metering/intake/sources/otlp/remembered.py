"""What was read before, and need not be read again: most of what spans say came before, byte for byte."""

from collections.abc import Callable
from typing import Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")
REMEMBERED_BYTES: Final = 200
"""Of an attribute; a longer one is read every time."""
MAX_REMEMBERED: Final = 20_000
"""In each of two generations."""


class Remembered(dict[K, V]):
    """What `read` makes of each key, where `keeps` agrees. What was asked for of late stays, and the rest is forgotten."""

    def __init__(self, read: Callable[[K], V], keeps: Callable[[K, V], bool]) -> None:
        super().__init__()
        self._read = read
        self._keeps = keeps
        self._before: dict[K, V] = {}

    def __missing__(self, key: K) -> V:
        before = self._before  # another thread may put a new one in its place meanwhile
        found = before[key] if key in before else self._read(key)
        if self._keeps(key, found):
            if len(self) >= MAX_REMEMBERED:
                self._before = dict(self)
                self.clear()
            self[key] = found
        return found
