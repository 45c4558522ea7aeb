"""What a provider's answer says of the request that it answers. Every module of this room makes one out of the answer's JSON.

Only the fields named here are read: prompts and outputs are passed over, and become no object at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec

from metering.intake.formats.events import Count
from metering.intake.sources.normaliser import INCLUSIVE, Counting, Reported
from metering.measures import UsageType

MaybeCount = Count | None
Seconds = Annotated[float, msgspec.Meta(ge=0)]
WEB_SEARCH: Final = "ws"
FILE_SEARCH: Final = "fs"
CODE_INTERPRETER: Final = "ci"


class NoUsageError(Exception):
    """The answer says nothing of usage, where its API always does."""


@dataclass(frozen=True, slots=True)
class Tool:
    """Calls of a tool that the provider hosts and charges apart: an event of its own, whose id ends in `suffix`."""

    suffix: str
    usage_type: UsageType
    measures: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an answer says; None where it says nothing.

    `units` are the measures other than tokens. `service_tier` is the provider's word.
    """

    usage_type: UsageType = UsageType.COMPLETIONS
    tokens: Reported = field(default_factory=Reported)
    counting: Counting = INCLUSIVE
    units: Mapping[str, int] = field(default_factory=dict)
    id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    batch: bool = False
    speed: str | None = None
    region: str | None = None
    tools: tuple[Tool, ...] = ()


def web_searches(number: int | None) -> tuple[Tool, ...]:
    """The tool's event for so many searches; none for none."""
    if not number:
        return ()
    return (Tool(WEB_SEARCH, UsageType.WEB_SEARCH_CALLS, {"num_model_requests": number}),)


def whole_seconds(seconds: float) -> int:
    """The nearest whole second, the longer one from half a second on."""
    return int(seconds + 0.5)
