"""What became of organizations' words over their share, for a short time: so that not every request with one asks the database.

A share may grow, and another organization may bring the word: what is remembered is asked again a few seconds later. Each
organization has a bounded place of its own here, so that one who sends millions of words takes nobody else's.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, TypeVar

One = TypeVar("One", bound=Hashable)


@dataclass(slots=True)
class Place(Generic[One]):
    """What one organization's are taken for, until a moment of `monotonic`."""

    until: float
    instead: dict[One, One] = field(default_factory=dict)


@dataclass(slots=True)
class OverShare(Generic[One]):
    """For `seconds`, of `most` organizations, `most_each` of each. Beyond that nothing is remembered."""

    seconds: float
    most: int
    most_each: int
    _places: dict[int, Place[One]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(place.instead) for place in list(self._places.values()))

    def get(self, organization_id: int, one: One) -> One | None:
        """What it was taken for a short time ago."""
        place = self._places.get(organization_id)
        return None if place is None or place.until <= monotonic() else place.instead.get(one)

    def remember(self, organization_id: int, one: One, taken_for: One) -> None:
        now = monotonic()
        place = self._places.get(organization_id)
        if place is None or place.until <= now:
            if len(self._places) >= self.most:
                self._places = {of: kept for of, kept in list(self._places.items()) if kept.until > now}
            if len(self._places) >= self.most:
                return
            place = self._places[organization_id] = Place(now + self.seconds)
        if len(place.instead) < self.most_each:
            place.instead[one] = taken_for

    def forget(self) -> None:
        """Drop this process's memory (for tests, whose transactions are rolled back)."""
        self._places = {}
