"""Passes of Anthropic's models within one call, which LiteLLM hands on as they came, in `iterations` of the usage."""

from typing import Final

from msgspec.structs import replace

from metering.intake.sources.litellm.payload import Usage
from metering.intake.sources.normaliser import Reported
from metering.intake.sources.providers.anthropic import is_apart, tokens_of

SUMS: Final = (
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_long_tokens",
    "reasoning_tokens",
)


def any_is_apart(usage: Usage) -> bool:
    """Whether some are events of their own (`anthropic.parts_of`)."""
    return any(map(is_apart, usage.iterations or ()))


def without_those_apart(tokens: Reported, usage: Usage) -> Reported:
    """The usage's tokens, all input and all output, less the passes that are events of their own.

    Anthropic's sums do not have these. LiteLLM adds all passes up (1.106.12, llms/anthropic/chat/transformation.py), in earlier
    versions without the cache of each: the output tells, and then the other passes are added up anew.
    """
    if not any_is_apart(usage):
        return tokens
    passes = [(is_apart(one), tokens_of(one)) for one in usage.iterations or ()]
    everything = _sum([counted for _, counted in passes])
    own = _sum([counted for apart, counted in passes if not apart])
    if tokens.output_tokens != everything.output_tokens or own.output_tokens == everything.output_tokens:
        return tokens
    is_summed = tokens.reasoning_tokens == everything.reasoning_tokens
    reasoning = own.reasoning_tokens if is_summed else min(tokens.reasoning_tokens, own.output_tokens)
    return replace(own, reasoning_tokens=reasoning)


def _sum(passes: list[Reported]) -> Reported:
    """All input and all output."""
    sums = {name: sum(getattr(counted, name) for counted in passes) for name in SUMS}
    fresh = sum(counted.input_tokens for counted in passes)
    return Reported(input_tokens=fresh + sums["cache_read_tokens"] + sums["cache_write_tokens"], **sums)
