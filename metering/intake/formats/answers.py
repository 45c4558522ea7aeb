"""What a way in answers: the counts, and what became of each item of the body."""

from typing import Annotated, Literal, NotRequired, TypedDict

from msgspec import Meta

from metering.intake.description.refusals import ITEM


class ItemResult(TypedDict):
    """`code` and `message` are there when it was rejected."""

    index: int
    status: Literal["accepted", "duplicate", "rejected", "ignored"]
    code: NotRequired[Annotated[str, Meta(extra_json_schema={"enum": list(ITEM)})]]
    message: NotRequired[str]


class Results(TypedDict):
    """One result for each item, in the order of the body. All that is accepted is committed."""

    accepted: int
    duplicates: int
    rejected: int
    ignored: NotRequired[int]
    results: list[ItemResult]
