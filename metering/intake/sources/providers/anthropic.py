"""Anthropic's Messages (anthropic 2.14.0, types/usage.py), also by Bedrock's InvokeModel and Vertex."""

from typing import Final

import msgspec

from metering.intake.formats.events import Count
from metering.intake.sources.normaliser import CACHE_BESIDE, Reported
from metering.intake.sources.providers.reading import MaybeCount, Reading, web_searches

NO_GEO: Final = frozenset({"global", "not_available"})


class Lifetimes(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: MaybeCount = None
    ephemeral_1h_input_tokens: MaybeCount = None


class ServerTools(msgspec.Struct, gc=False):
    web_search_requests: MaybeCount = None


class OutputDetails(msgspec.Struct, gc=False):
    thinking_tokens: MaybeCount = None


class Usage(msgspec.Struct, gc=False):
    input_tokens: Count
    output_tokens: Count
    cache_read_input_tokens: MaybeCount = None
    cache_creation_input_tokens: MaybeCount = None
    cache_creation: Lifetimes | None = None
    output_tokens_details: OutputDetails | None = None
    server_tool_use: ServerTools | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None


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
        tokens=_tokens(usage),
        counting=CACHE_BESIDE,
        id=found.id,
        model=found.model,
        service_tier=usage.service_tier,
        speed=None if usage.speed == "standard" else usage.speed,
        region=None if usage.inference_geo in NO_GEO else usage.inference_geo,
        tools=web_searches(usage.server_tool_use.web_search_requests if usage.server_tool_use else None),
    )


def _tokens(usage: Usage) -> Reported:
    lifetimes = usage.cache_creation or Lifetimes()
    long = lifetimes.ephemeral_1h_input_tokens or 0
    return Reported(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_input_tokens or 0,
        cache_write_tokens=usage.cache_creation_input_tokens or (lifetimes.ephemeral_5m_input_tokens or 0) + long,
        cache_write_long_tokens=long,
        reasoning_tokens=(usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else None) or 0,
    )
