"""What a way in answers: the counts, and what became of each item of the body."""

from typing import Literal, NotRequired, TypedDict


class ItemResult(TypedDict):
    """`code` and `message` are there when it was rejected."""

    index: int
    status: Literal["accepted", "duplicate", "rejected", "ignored"]
    code: NotRequired[str]
    message: NotRequired[str]


class Results(TypedDict):
    """One result for each item, in the order of the body. All that is accepted is committed."""

    accepted: int
    duplicates: int
    rejected: int
    ignored: NotRequired[int]
    results: list[ItemResult]
