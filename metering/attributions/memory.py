"""The dictionaries of what usage was for, in this process's memory.

Rows of the dictionaries are never changed or deleted, so what is remembered stays true. It is remembered for one month (UTC) of
arrival, because in each the values of an attribute are counted anew.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from metering.attribution_models import NOTHING, OTHER, PROJECT
from metering.attributions.purpose import Values

MAX_REMEMBERED: Final = 500_000
"""Entries of a kind; beyond that a memory starts anew."""
KEPT_MONTHS: Final = 2  # requests on both sides of a month's turn
Parts = tuple[int, ...]
"""The parts of an Attribution: (attribute, value) pairs, flat, in the order of the attributes."""
Wanted = tuple[int, int, Values]
"""An organization, a project or 0, and values: what has an attribution."""


@dataclass(slots=True)
class Memory:
    """`values`: attribute → text → the id of a value that has arrived this month. Of an attribute in `full` these are all; what
    else arrives is OTHER. `ids`: (organization, parts) → attribution. Of an organization in `full_organizations` new
    combinations are those of OTHER alone."""

    month: date
    values: dict[int, dict[str, int]] = field(default_factory=dict)
    full: set[int] = field(default_factory=set)
    ids: dict[tuple[int, Parts], int] = field(default_factory=dict)
    full_organizations: set[int] = field(default_factory=set)
    num_values: int = 0
    num_callers: int = 0
    """How many ways of saying it ingest remembers beside this memory."""

    def id_of(self, organization_id: int, project: int, values: Values) -> int | None:
        """The attribution; None if this process does not know it yet."""
        parts = self.parts_of(project, values)
        if not parts:
            return parts if parts is None else NOTHING
        found = self.ids.get((organization_id, parts))
        if found is None and organization_id in self.full_organizations:
            return self.ids.get((organization_id, without_values(parts)))
        return found

    def parts_of(self, project: int, values: Values) -> Parts | None:
        """None if the id of one of the values is not known yet."""
        parts = [PROJECT, project] if project else []
        for attribute_id, text in values:
            value_id = self.values.get(attribute_id, {}).get(text)
            if value_id is None:
                if attribute_id not in self.full:
                    return None
                value_id = OTHER
            parts += (attribute_id, value_id)
        return tuple(parts)

    def tells_apart(self, values: Values) -> bool:
        """Whether each of the values has its own id: there is a bound on how many of these there are."""
        return all(text in self.values.get(attribute_id, {}) for attribute_id, text in values)

    def is_too_large(self) -> bool:
        return len(self.ids) > MAX_REMEMBERED or self.num_values > MAX_REMEMBERED

    def values_beyond(self, less: "Memory") -> list[tuple[int, str, int]]:
        """(attribute, text, id) of the values that another memory lacks."""
        return [
            (attribute_id, text, value_id)
            for attribute_id, values in self.values.items()
            for text, value_id in values.items()
            if text not in less.values.get(attribute_id, {})
        ]

    def remember(self, values: Iterable[tuple[int, str, int]]) -> None:
        """(attribute, text, id) of values that have arrived."""
        for attribute_id, text, value_id in values:
            self.values.setdefault(attribute_id, {})[text] = value_id
            self.num_values += 1


_lock = threading.Lock()
_memories: dict[date, Memory] = {}


def of_month(month: date) -> Memory:
    """What is remembered of usage that arrives in a month, which its first day names."""
    found = _memories.get(month)
    if found is None or found.is_too_large():
        with _lock:
            found = _memories[month] = Memory(month)
            for old in sorted(_memories)[:-KEPT_MONTHS]:
                del _memories[old]
    return found


def forget() -> None:
    """Drop this process's memory (for tests, whose transactions are rolled back)."""
    with _lock:
        _memories.clear()


def without_values(parts: Parts) -> Parts:
    """The combination with the same project and attributes, each with OTHER."""
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return flat((attribute_id, value_id if attribute_id == PROJECT else OTHER) for attribute_id, value_id in pairs)


def flat(pairs: Iterable[tuple[int, int]]) -> Parts:
    """The pairs one behind the other."""
    return tuple(number for pair in pairs for number in pair)
