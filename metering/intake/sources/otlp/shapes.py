"""Attributes in protobuf that name the same things in the same order, as those of a client's spans do.

Looking at fifteen attributes one by one takes longer than all else that a span needs. Whether they are those of a shape that is
known costs one comparison each, in C; then the few that are read are known by their places.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final

import msgspec

from metering.intake.sources.otlp.names import COUNT, ID, meaning_of

MAX_ATTRIBUTES: Final = 100
MAX_SHAPES: Final = 1_000
MAX_RECENT: Final = 4
KEY: Final = 0x0A
VALUE: Final = 0x12
LONG: Final = 0x80
Head = bytes
"""How a KeyValue begins that has its key first, as encoders write it: the key's tag, length and text, the tag of the value."""
Raws = Sequence[bytes]
startswith: Final = bytes.startswith


class Shape(msgspec.Struct, frozen=True, gc=False):
    """`counts` and `response_ids` are the places of these; of several names for a count the one that is believed most is last.
    `words` picks what is said in words.
    """

    heads: tuple[Head, ...]
    words: Callable[[Raws], tuple[bytes, ...]]
    counts: tuple[int, ...]
    response_ids: tuple[int, ...]

    def is_of(self, raws: Raws) -> bool:
        return len(raws) == len(self.heads) and all(map(startswith, raws, self.heads))


class Shapes:
    """Those of the spans of one request."""

    def __init__(self) -> None:
        self._recent: list[Shape] = []

    def of(self, raws: Raws) -> Shape | None:
        """The shape; None for attributes that have none: then each is to be read."""
        for shape in self._recent:
            if shape.is_of(raws):
                return shape
        heads = _heads(raws)
        if heads is None:
            return None
        found = _known.get(heads) or _learnt(heads)
        self._recent = [found, *self._recent[: MAX_RECENT - 1]]
        return found


_known: Final[dict[tuple[Head, ...], Shape]] = {}


def _heads(raws: Raws) -> tuple[Head, ...] | None:
    if len(raws) > MAX_ATTRIBUTES:
        return None
    heads = []
    for raw in raws:
        if len(raw) < 3 or raw[0] != KEY or raw[1] >= LONG or raw[2 + raw[1] : 3 + raw[1]] != bytes([VALUE]):
            return None
        heads.append(raw[: 3 + raw[1]])
    return tuple(heads)


def _learnt(heads: tuple[Head, ...]) -> Shape:
    if len(_known) >= MAX_SHAPES:
        _known.clear()
    found = _known[heads] = _shape(heads)
    return found


def _shape(heads: tuple[Head, ...]) -> Shape:
    meanings = [meaning_of(head[2:-1].decode(errors="replace")) for head in heads]
    read = [(at, *meaning) for at, meaning in enumerate(meanings) if meaning is not None]
    counts = sorted((-place, at) for at, kind, _, place in read if kind == COUNT)
    ids = [at for at, kind, _, _ in read if kind == ID]
    words = [at for at, kind, _, _ in read if kind not in (COUNT, ID)]
    return Shape(heads, _picked(words), tuple(at for _, at in counts), tuple(ids))


def _picked(places: Sequence[int]) -> Callable[[Raws], tuple[bytes, ...]]:
    match places:
        case []:
            return lambda _: ()
        case [place]:
            return lambda raws: (raws[place],)
    return itemgetter(*places)
