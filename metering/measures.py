"""The measures of usage, and which of them belong to which usage type (product.md, section 3)."""

from typing import Final

from django.db import models

MEASURES: Final = (
    "num_model_requests",
    "input_tokens",
    "input_cached_tokens",
    "input_cache_write_tokens",
    "input_cache_write_long_tokens",
    "input_audio_tokens",
    "input_image_tokens",
    "input_video_tokens",
    "output_tokens",
    "output_audio_tokens",
    "output_image_tokens",
    "output_reasoning_tokens",
    "images",
    "seconds",
    "characters",
    "usage_bytes",
    "num_sessions",
)
MAX_MEASURE: Final = 2**63 - 1
INPUT_PARTS: Final = (
    "input_cached_tokens",
    "input_cache_write_tokens",
    "input_audio_tokens",
    "input_image_tokens",
    "input_video_tokens",
)
UNIT_MEASURES: Final = ("images", "seconds", "characters")
OUTPUT_PARTS: Final = ("output_audio_tokens", "output_image_tokens")
PARTS: Final = (
    ("input_tokens", INPUT_PARTS),
    ("input_cache_write_tokens", ("input_cache_write_long_tokens",)),
    ("output_tokens", OUTPUT_PARTS),
    ("output_tokens", ("output_reasoning_tokens",)),
)
"""(whole, its parts that are separate from each other). Reasoning may be in the other parts of the output."""
TOKEN_MEASURES: Final = tuple(dict.fromkeys(measure for whole, parts in PARTS for measure in (whole, *parts)))
_INPUT_ALONE: Final = frozenset(
    {
        *("num_model_requests", "input_tokens", "input_cached_tokens"),
        *("input_audio_tokens", "input_image_tokens", "input_video_tokens"),
    }
)


class UsageType(models.IntegerChoices):
    """What kind of request was made; stored as the number, named as in the events."""

    COMPLETIONS = 1, "completions"
    EMBEDDINGS = 2, "embeddings"
    MODERATIONS = 3, "moderations"
    IMAGES = 4, "images"
    AUDIO_SPEECHES = 5, "audio_speeches"
    AUDIO_TRANSCRIPTIONS = 6, "audio_transcriptions"
    VECTOR_STORES = 7, "vector_stores"
    CODE_INTERPRETER_SESSIONS = 8, "code_interpreter_sessions"
    FILE_SEARCH_CALLS = 9, "file_search_calls"
    WEB_SEARCH_CALLS = 10, "web_search_calls"


class ServiceTier(models.IntegerChoices):
    """Processing tiers that providers price apart; other words of theirs are in `service_tiers`.

    In an event `auto`, `standard` and `on_demand` mean `default`, and `fast` means `priority`.
    """

    DEFAULT = 1, "default"
    FLEX = 2, "flex"
    PRIORITY = 3, "priority"
    SCALE = 4, "scale"


BATCH_TIER: Final = "batch"
"""What some providers call the tier of batches: the default tier with `batch: true`."""
USAGE_TYPES: Final = {usage_type.label: usage_type for usage_type in UsageType}
SERVICE_TIERS: Final = {
    **{tier.label: tier for tier in ServiceTier},
    "auto": ServiceTier.DEFAULT,
    "standard": ServiceTier.DEFAULT,
    "on_demand": ServiceTier.DEFAULT,
    "fast": ServiceTier.PRIORITY,
}
ALLOWED_MEASURES: Final[dict[UsageType, frozenset[str]]] = {
    UsageType.COMPLETIONS: frozenset({"num_model_requests", *TOKEN_MEASURES}),
    UsageType.EMBEDDINGS: _INPUT_ALONE,
    UsageType.MODERATIONS: _INPUT_ALONE,
    UsageType.IMAGES: frozenset({"num_model_requests", "images", *TOKEN_MEASURES}),
    UsageType.AUDIO_SPEECHES: frozenset({"num_model_requests", "characters", *TOKEN_MEASURES}),
    UsageType.AUDIO_TRANSCRIPTIONS: frozenset({"num_model_requests", "seconds", *TOKEN_MEASURES}),
    UsageType.VECTOR_STORES: frozenset({"num_model_requests", "usage_bytes"}),
    UsageType.CODE_INTERPRETER_SESSIONS: frozenset({"num_model_requests", "num_sessions"}),
    UsageType.FILE_SEARCH_CALLS: frozenset({"num_model_requests"}),
    UsageType.WEB_SEARCH_CALLS: frozenset({"num_model_requests"}),
}
# Usage that is not of a model: an event of these types may leave `model` out and then carries the type's name.
MODEL_OPTIONAL: Final = frozenset(
    {
        UsageType.VECTOR_STORES,
        UsageType.CODE_INTERPRETER_SESSIONS,
        UsageType.FILE_SEARCH_CALLS,
        UsageType.WEB_SEARCH_CALLS,
    }
)

# Prices of long contexts change at these sizes of a request's input (all thresholds in the `genai-prices` data). An event's
# context band is the largest one that its input exceeds.
CONTEXT_BANDS: Final = (
    32_000,
    100_000,
    128_000,
    199_999,
    200_000,
    256_000,
    272_000,
    512_000,
    524_288,
)
