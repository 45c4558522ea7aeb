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
    "response_id": ("gen_ai.response.id",),
    "operation": ("gen_ai.operation.name",),
    "span_kind": ("openinference.span.kind",),
    "vercel_operation": ("ai.operationId",),
    "request_type": ("llm.request.type",),
}
OPERATIONS: Final = {
    **dict.fromkeys(("chat", "text_completion", "generate_content"), "completions"),
    "embeddings": "embeddings",
}
SPAN_KINDS: Final = {"LLM": "completions", "EMBEDDING": "embeddings"}
VERCEL_OPERATIONS: Final = {"doGenerate": "completions", "doStream": "completions", "doEmbed": "embeddings"}
REQUEST_TYPES: Final = {**dict.fromkeys(("chat", "completion"), "completions"), "embedding": "embeddings"}

Said = tuple[bool, str, int, Any]
"""What an attribute says: (whether it is a count, of what, the place of its name in the order, its value)."""
_meanings: Final[Mapping[str, tuple[bool, str, int]]] = {
    name: (is_count, field, place)
    for fields, is_count in ((COUNTS, True), (TEXTS, False))
    for field, names in fields.items()
    for place, name in enumerate(names)
}


def is_read(name: str) -> bool:
    """Whether the attribute of this name says anything to us."""
    return name in _meanings or name.startswith(OWN)


def said(name: str, value: Any) -> Said | None:
    """What the attribute says; None if that is nothing. Attributes of ours have their own name as what they are of."""
    meaning = _meanings.get(name)
    if meaning is None:
        text = text_of(value)
        return (False, name, OURS, text) if text and name.startswith(OWN) else None
    is_count, field, place = meaning
    if value is None or value == "" or not (is_count or isinstance(value, str)):
        return None
    return is_count, field, place, value


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
