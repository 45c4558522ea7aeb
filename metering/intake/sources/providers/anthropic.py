"""Anthropic's Messages (anthropic 2.14.0, types/usage.py, types/beta/beta_usage.py), also by Bedrock's InvokeModel and Vertex."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from metering.intake.formats.events import Count
from metering.intake.sources.normaliser import CACHE_BESIDE, Reported
from metering.intake.sources.providers.reading import (
    ADVICE,
    COMPACTION,
    NO_UNITS,
    MaybeCount,
    Part,
    Reading,
    numbered,
    web_searches,
)

COMPACTED: Final = "compaction"
ADVISED: Final = "advisor_message"
NO_GEO: Final = frozenset({"global", "not_available"})


class Lifetimes(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: MaybeCount = None
    ephemeral_1h_input_tokens: MaybeCount = None


class ServerTools(msgspec.Struct, gc=False):
    web_search_requests: MaybeCount = None


class OutputDetails(msgspec.Struct, gc=False):
    thinking_tokens: MaybeCount = None


class Counters(msgspec.Struct, gc=False):
    cache_read_input_tokens: MaybeCount = None
    cache_creation_input_tokens: MaybeCount = None
    cache_creation: Lifetimes | None = None
    output_tokens_details: OutputDetails | None = None


class Iteration(Counters, gc=False, kw_only=True):
    """One pass of a model. Those of the types `message` and `fallback_message` are what the usage is the sum of."""

    type: str = ""
    model: str | None = None
    input_tokens: MaybeCount = None
    output_tokens: MaybeCount = None


class Usage(Counters, gc=False, kw_only=True):
    input_tokens: Count
    output_tokens: Count
    server_tool_use: ServerTools | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    iterations: list[Iteration] | None = None


class Answer(msgspec.Struct, gc=False):
    usage: Usage
    id: str | None = None
    model: str | None = None


_answer = msgspec.json.Decoder(Answer)


def read(answer: bytes | msgspec.Raw) -> Reading:
    """`input_tokens` are those that have nothing to do with the cache; thinking is inside the output."""
    found = _answer.decode(answer)
    usage = found.usage
    return Reading(
        tokens=tokens_of(usage),
        counting=CACHE_BESIDE,
        id=found.id,
        model=found.model,
        service_tier=usage.service_tier,
        speed=None if usage.speed == "standard" else usage.speed,
        region=None if usage.inference_geo in NO_GEO else usage.inference_geo,
        tools=web_searches(usage.server_tool_use.web_search_requests if usage.server_tool_use else None),
        parts=parts_of(usage.iterations or ()),
    )


def parts_of(iterations: Sequence[Iteration]) -> tuple[Part, ...]:
    """The passes that the usage leaves out: compactions of the context by the same model, which no caller has asked for, and
    advice of another model. Each is one of its own, as the size of its input may change its price."""
    compactions = (_pass(one, {"num_model_requests": 0}) for one in iterations if one.type == COMPACTED)
    advice = (_pass(one, NO_UNITS) for one in iterations if one.type == ADVISED)
    return (*numbered(COMPACTION, compactions), *numbered(ADVICE, advice))


def is_apart(one: Iteration) -> bool:
    """Whether the usage leaves this pass out."""
    return one.type in (COMPACTED, ADVISED)


def _pass(one: Iteration, units: Mapping[str, int]) -> Reading:
    return Reading(tokens=tokens_of(one), counting=CACHE_BESIDE, model=one.model, units=units)


def tokens_of(usage: Usage | Iteration) -> Reported:
    """The cache stands beside the input, reasoning inside the output."""
    lifetimes = usage.cache_creation or Lifetimes()
    long = lifetimes.ephemeral_1h_input_tokens or 0
    return Reported(
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        cache_read_tokens=usage.cache_read_input_tokens or 0,
        cache_write_tokens=usage.cache_creation_input_tokens or (lifetimes.ephemeral_5m_input_tokens or 0) + long,
        cache_write_long_tokens=long,
        reasoning_tokens=(usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else None) or 0,
    )
