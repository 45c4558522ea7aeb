"""What a check finds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Weight(StrEnum):
    """How much it matters: WRONG must be mended, NOTE should be known, FINE is nothing to do."""

    WRONG = "WRONG"
    NOTE = "note"
    FINE = "fine"


@dataclass(frozen=True)
class Finding:
    """A sentence, and what to do about it."""

    weight: Weight
    sentence: str
    remedy: str = ""


Check = Callable[[], Iterator[Finding]]


def wrong(sentence: str, remedy: str) -> Finding:
    return Finding(Weight.WRONG, sentence, remedy)


def note(sentence: str, remedy: str = "") -> Finding:
    return Finding(Weight.NOTE, sentence, remedy)


def fine(sentence: str) -> Finding:
    return Finding(Weight.FINE, sentence)
