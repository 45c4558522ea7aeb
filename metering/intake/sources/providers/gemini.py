"""Gemini's generateContent, also by Vertex (google-genai 3.6.1, types.py), with the names of REST or of the Python SDK."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from metering.intake.formats.events import Count
from metering.intake.sources.normaliser import Reported
from metering.intake.sources.providers.reading import MaybeCount, NoUsageError, Reading

AUDIO: Final = ("AUDIO",)
IMAGE: Final = ("IMAGE", "DOCUMENT")  # pages count, and are charged, as pictures
VIDEO: Final = ("VIDEO",)
SNAKE: Final = re.compile(rb'_([a-z])(?=[a-z_]*"\s*:)')
"""What stands for a capital letter in the name of a field."""


class Part(msgspec.Struct, gc=False, rename="camel"):
    modality: str = ""
    token_count: MaybeCount = None


class Usage(msgspec.Struct, gc=False, rename="camel"):
    prompt_token_count: Count
    candidates_token_count: MaybeCount = None
    response_token_count: MaybeCount = None  # what Live calls the candidates
    thoughts_token_count: MaybeCount = None
    tool_use_prompt_token_count: MaybeCount = None
    cached_content_token_count: MaybeCount = None
    total_token_count: MaybeCount = None
    traffic_type: str | None = None
    prompt_tokens_details: list[Part] | None = None
    tool_use_prompt_tokens_details: list[Part] | None = None
    cache_tokens_details: list[Part] | None = None
    candidates_tokens_details: list[Part] | None = None
    response_tokens_details: list[Part] | None = None


class Answer(msgspec.Struct, gc=False):
    usage: Usage | None = msgspec.field(default=None, name="usageMetadata")
    python_usage: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="usage_metadata")
    id: str | None = msgspec.field(default=None, name="responseId")
    python_id: str | None = msgspec.field(default=None, name="response_id")
    model: str | None = msgspec.field(default=None, name="modelVersion")
    python_model: str | None = msgspec.field(default=None, name="model_version")


_usage = msgspec.json.Decoder(Usage | None)
_answer = msgspec.json.Decoder(Answer)


def read(answer: bytes | msgspec.Raw) -> Reading:
    """The prompt has the cache inside; prompts of tools stand beside it, and thoughts beside the candidates."""
    found = _answer.decode(answer)
    usage = found.usage or _of_python(bytes(found.python_usage))
    if usage is None:
        raise NoUsageError
    return Reading(
        tokens=_tokens(usage),
        id=found.id or found.python_id,
        model=found.model or found.python_model,
        service_tier=usage.traffic_type,
    )


def _of_python(usage: bytes) -> Usage | None:
    """The same with the SDK's names: `prompt_token_count` is `promptTokenCount`."""
    return _usage.decode(SNAKE.sub(lambda found: found[1].upper(), usage)) if usage else None


def _tokens(usage: Usage) -> Reported:
    prompts = [*(usage.prompt_tokens_details or ()), *(usage.tool_use_prompt_tokens_details or ())]
    cached = usage.cache_tokens_details
    outputs = usage.candidates_tokens_details or usage.response_tokens_details or ()
    thoughts = usage.thoughts_token_count or 0
    return Reported(
        input_tokens=usage.prompt_token_count + (usage.tool_use_prompt_token_count or 0),
        output_tokens=(usage.candidates_token_count or usage.response_token_count or 0) + thoughts,
        cache_read_tokens=usage.cached_content_token_count or 0,
        audio_tokens=_sum(prompts, AUDIO),
        cached_audio_tokens=None if cached is None else _sum(cached, AUDIO),
        image_tokens=_sum(prompts, IMAGE),
        cached_image_tokens=None if cached is None else _sum(cached, IMAGE),
        video_tokens=_sum(prompts, VIDEO),
        cached_video_tokens=None if cached is None else _sum(cached, VIDEO),
        output_audio_tokens=_sum(outputs, AUDIO),
        output_image_tokens=_sum(outputs, IMAGE),
        reasoning_tokens=thoughts,
        total_tokens=usage.total_token_count,
    )


def _sum(parts: Sequence[Part], modalities: tuple[str, ...]) -> int:
    return sum(part.token_count or 0 for part in parts if part.modality in modalities)
