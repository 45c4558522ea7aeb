"""Which colour a part of a chart has.

A colour is the name of a CSS token (`series-1` … `series-16`, `untracked`, `other`). The first eight are the palette of
eight that colour-blind people can tell apart, the next eight its second tone. A model's colour follows from its place in
the order in which this installation first saw its models, which never changes: so it is the same on every page, day,
month and organization. Only where two parts of one page would meet in a colour does the younger take the next free one.
"""

from collections.abc import Iterable
from typing import Final

from metering.usage.groupings import Grouping
from metering.usage.names import Names

NUM_COLORS: Final = 16
UNTRACKED_COLOR: Final = "untracked"
OTHER_COLOR: Final = "other"


def colors_of(group: Grouping, ids: Iterable[int], names: Names) -> dict[int | None, str]:
    """The colour of each id of a page; None, the rest of the parts, is Other."""
    colors: dict[int | None, str] = {None: OTHER_COLOR}
    taken: set[int] = set()
    for found_id in sorted(set(ids)):
        if group.is_of_nothing(found_id):
            colors[found_id] = UNTRACKED_COLOR
            continue
        slot = _next_free(names.of(group, found_id).place % group.num_colors, taken)
        taken.add(slot)
        colors[found_id] = color(slot)
    return colors


def color(slot: int) -> str:
    """Slot 0 → 'series-1'."""
    return f"series-{slot % NUM_COLORS + 1}"


def _next_free(wanted: int, taken: set[int]) -> int:
    """`wanted` or the first free slot after it; `wanted` when all are taken."""
    candidates = ((wanted + step) % NUM_COLORS for step in range(NUM_COLORS))
    return next((slot for slot in candidates if slot not in taken), wanted)
