"""Names of attributes → what they say, in the order in which they are believed (docs/opentelemetry.md)."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

OURS: Final = -1
"""The place of attributes of ours."""
LAST: Final = 1_000
"""Behind every place."""
OWN: Final = "usage_dashboard."
OWN_ATTRIBUTES: Final = f"{OWN}attributes."
COUNTS: Final = {
    "input_tokens": (
        *("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
        *("ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens", "llm.usage.prompt_tokens"),
    ),
    "output_tokens": (
        *("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"),
        *("ai.usage.outputTokens", "ai.usage.completionTokens", "llm.usage.completion_tokens"),
    ),
    "cache_read_tokens": (
        *("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"),
        *("llm.token_count.prompt_details.cache_read", "ai.usage.inputTokenDetails.cacheReadTokens"),
        "ai.usage.cachedInputTokens",
    ),
    "cache_write_tokens": (
        *("gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens"),
        *("gen_ai.usage.cache_creation_input_tokens", "gen_ai.usage.cache_write_input_tokens"),
        *("llm.token_count.prompt_details.cache_write", "ai.usage.inputTokenDetails.cacheWriteTokens"),
    ),
    "audio_tokens": ("gen_ai.usage.audio.input_tokens", "llm.token_count.prompt_details.audio"),
    "cached_audio_tokens": ("gen_ai.usage.audio.cache_read.input_tokens",),
    "image_tokens": ("gen_ai.usage.image.input_tokens",),
    "cached_image_tokens": ("gen_ai.usage.image.cache_read.input_tokens",),
    "video_tokens": ("gen_ai.usage.video.input_tokens",),
    "cached_video_tokens": ("gen_ai.usage.video.cache_read.input_tokens",),
    "output_audio_tokens": ("gen_ai.usage.audio.output_tokens", "llm.token_count.completion_details.audio"),
    "output_image_tokens": ("gen_ai.usage.image.output_tokens",),
    "reasoning_tokens": (
        *("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens"),
        *("llm.token_count.completion_details.reasoning", "ai.usage.outputTokenDetails.reasoningTokens"),
        "ai.usage.reasoningTokens",
    ),
    "total_tokens": (
        *("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total", "ai.usage.totalTokens"),
    ),
}
"""The fields of `normaliser.Reported`."""
TEXTS: Final = {
    "model": (
        *("gen_ai.response.model", "gen_ai.request.model", "llm.response.model_name", "llm.model_name"),
        *("ai.response.model", "ai.model.id", "embedding.model_name"),
    ),
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "ai.model.provider", "llm.system"),
    "tier": (
        *("openai.response.service_tier", "gen_ai.openai.response.service_tier", "anthropic.response.service_tier"),
        *("openai.request.service_tier", "gen_ai.openai.request.service_tier"),
    ),
    "operation": ("gen_ai.operation.name",),
    "span_kind": ("openinference.span.kind",),
    "vercel_operation": ("ai.operationId",),
    "request_type": ("llm.request.type",),
}
RESPONSE_ID: Final = "gen_ai.response.id"
OPERATIONS: Final = {
    **dict.fromkeys(("chat", "text_completion", "generate_content"), "completions"),
    "embeddings": "embeddings",
}
SPAN_KINDS: Final = {"LLM": "completions", "EMBEDDING": "embeddings"}
VERCEL_OPERATIONS: Final = {"doGenerate": "completions", "doStream": "completions", "doEmbed": "embeddings"}
REQUEST_TYPES: Final = {**dict.fromkeys(("chat", "completion"), "completions"), "embedding": "embeddings"}

COUNT: Final = 0
WORD: Final = 1
ID: Final = 2


class Said(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What an attribute says: a COUNT, a WORD or an ID (of the response); of what; the place of its name in the order; its value.

    Each is itself alone (`eq=False`), so that a dictionary finds it without looking into it.
    """

    kind: int
    field: str
    place: int
    value: Any


Meaning = tuple[int, str, int]
"""The first three fields of Said."""
_meanings: Final[Mapping[str, Meaning]] = {
    RESPONSE_ID: (ID, "", 0),
    **{
        name: (kind, field, place)
        for fields, kind in ((COUNTS, COUNT), (TEXTS, WORD))
        for field, names in fields.items()
        for place, name in enumerate(names)
    },
}


def meaning_of(name: str) -> Meaning | None:
    """What an attribute of this name is of; None if it says nothing to us. Those of ours have their own name as that."""
    return _meanings.get(name) or ((WORD, name, OURS) if name.startswith(OWN) else None)


def said(meaning: Meaning, value: Any) -> Said | None:
    """What the attribute says; None if that is nothing."""
    kind, field, place = meaning
    if place == OURS:
        value = text_of(value)
    if value is None or value == "" or not (kind == COUNT or isinstance(value, str)):
        return None
    return Said(kind, field, place, value)


def text_of(value: Any) -> str:
    """A number or a truth as a text, as JSON writes it; nothing for what is none of these."""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode() if isinstance(value, bool | int | float) else ""


def usage_type_of(texts: Mapping[str, Any]) -> str | None:
    """What kind of request the span is; None if it is no request to a model, or the sum of several."""
    operation = texts.get("operation")
    if operation:
        return OPERATIONS.get(operation)
    return (
        SPAN_KINDS.get(texts.get("span_kind", "").upper())
        or VERCEL_OPERATIONS.get(texts.get("vercel_operation", "").rpartition(".")[2])
        or REQUEST_TYPES.get(texts.get("request_type", ""))
    )
