"""One value between SQL and page: a quantity by its parts, bar by bar. Activity fills it with usage, Cost with money."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import accumulate
from typing import Final, NamedTuple

from metering.usage.groupings import Grouping
from metering.usage.queries import SHOWN_PARTS, Slot

Number = int | Decimal
NOTHING: Final = 0


class Amount(NamedTuple):
    """How much of one part is in one bar; `part` None is everything outside the largest parts."""

    slot: Slot
    part: int | None
    amount: Number


@dataclass(frozen=True)
class Part:
    """One part of a quantity: a value per bar, and their sum. `id` None is the rest, all parts without bars of their own."""

    id: int | None
    values: tuple[Number, ...]
    total: Number


@dataclass(frozen=True)
class Breakdown:
    """A quantity by the parts of a grouping. `parts` have bars of their own, the largest first; `rest` is what is left of
    `num_parts`, None where nothing is. Parts and rest add up to the total, bar by bar."""

    group: Grouping
    parts: tuple[Part, ...]
    rest: Part | None
    num_parts: int
    total: Number

    @property
    def stacked(self) -> tuple[Part, ...]:
        """The parts in the order of a stack, the rest on top."""
        return self.parts if self.rest is None else (*self.parts, self.rest)

    @property
    def num_others(self) -> int:
        return self.num_parts - len(self.parts)

    def cumulative(self) -> "Breakdown":
        """Each bar with all before it; totals stay."""
        rest = None if self.rest is None else _cumulative(self.rest)
        return replace(self, parts=tuple(map(_cumulative, self.parts)), rest=rest)


def break_down(
    group: Grouping,
    bars: Sequence[Slot],
    amounts: Iterable[tuple[Slot, int | None, Number]],
    *,
    num_parts: int,
) -> Breakdown:
    """The breakdown of these amounts (see Amount) over these bars, all of which the amounts lie in.

    A part with any bar is a part, also where its bars add up to nothing: so nothing leaves the bars but into the rest.
    """
    by_part: dict[int | None, dict[Slot, Number]] = {}
    for slot, part, amount in amounts:
        own = by_part.setdefault(part, dict.fromkeys(bars, NOTHING))
        own[slot] += amount
    rows = {part: tuple(own.values()) for part, own in by_part.items()}
    found = [Part(part, values, sum(values)) for part, values in rows.items() if part is not None and any(values)]
    largest = sorted(found, key=lambda part: (-part.total, part.id))[:SHOWN_PARTS]
    shown = {part.id for part in largest}
    others = [values for part, values in rows.items() if part not in shown]
    rest = _rest(others) if any(map(any, others)) else None
    total = sum((part.total for part in largest), start=rest.total if rest else NOTHING)
    return Breakdown(group, tuple(largest), rest, max(num_parts, len(largest)), total)


def _rest(others: Sequence[Sequence[Number]]) -> Part:
    values = tuple(sum(column) for column in zip(*others, strict=True))
    return Part(None, values, sum(values))


def _cumulative(part: Part) -> Part:
    return replace(part, values=tuple(accumulate(part.values)))
