"""What a provider's answer says of the request that it answers. Every module of this room makes one out of the answer's JSON.

Only the fields named here are read: prompts and outputs are passed over, and become no object at all.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Final

import msgspec

from metering.intake.formats.events import Count
from metering.intake.sources.normaliser import INCLUSIVE, Counting, Reported

MaybeCount = Count | None
Seconds = Annotated[float, msgspec.Meta(ge=0)]
WEB_SEARCH: Final = "ws"
FILE_SEARCH: Final = "fs"
CODE_INTERPRETER: Final = "ci"
COMPACTION: Final = "cp"
ADVICE: Final = "ad"
IMAGES: Final = "im"
DRAWING: Final = "svg"
NO_TOKENS: Final = Reported()
NO_UNITS: Final[Mapping[str, int]] = MappingProxyType({})


class NoUsageError(Exception):
    """The answer says nothing of usage, where its API always does."""


class Tool(msgspec.Struct, frozen=True, gc=False):
    """Calls of a tool that the provider hosts and charges apart: an event of its own, whose id ends in `suffix`."""

    suffix: str
    usage_type: str
    measures: Mapping[str, int]


class Part(msgspec.Struct, frozen=True, gc=False):
    """Work of a model in the same request which the answer's own counters leave out: an event of its own, whose id ends in
    `suffix`. Where the reading names no model, it is the request's."""

    suffix: str
    reading: "Reading"


class Reading(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What an answer says; None where it says nothing.

    `units` are the measures other than tokens. `service_tier` is the provider's word. `parts` have neither parts nor tools.
    """

    usage_type: str = "completions"
    tokens: Reported = NO_TOKENS
    counting: Counting = INCLUSIVE
    units: Mapping[str, int] = NO_UNITS
    id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    batch: bool = False
    speed: str | None = None
    region: str | None = None
    tools: tuple[Tool, ...] = ()
    parts: tuple[Part, ...] = ()


def web_searches(number: int | None) -> tuple[Tool, ...]:
    """The tool's event for so many searches; none for none."""
    if not number:
        return ()
    return (Tool(WEB_SEARCH, "web_search_calls", {"num_model_requests": number}),)


def numbered(suffix: str, readings: Iterable[Reading]) -> tuple[Part, ...]:
    """Parts of one kind, in the order of the answer: `cp`, `cp2`, `cp3` …"""
    return tuple(Part(f"{suffix}{n}" if n > 1 else suffix, reading) for n, reading in enumerate(readings, start=1))


def whole_seconds(seconds: float) -> int:
    """The nearest whole second, the longer one from half a second on."""
    return int(seconds + 0.5)
