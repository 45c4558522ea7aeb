"""What each address of OpenAI's usage API asks and answers: one row per address. The form is that of its published schema.

What is not known here (the size of an image, a vector store, who called on whose behalf) can be grouped by, as one group
without a name; a filter by it is refused, because nothing would be right to answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from metering.measures import UsageType
from metering.usage import groupings
from metering.usage.groupings import Grouping

BATCH: Final = Grouping(word="batch", label="Batch", column="sku.batch")
KNOWN_GROUPS: Final = {
    "project_id": groupings.PROJECT,
    "user_id": groupings.USER,
    "api_key_id": groupings.API_KEY,
    "model": groupings.MODEL,
    "batch": BATCH,
    "service_tier": groupings.SERVICE_TIER,
    "organization_id": groupings.ORGANIZATION,
}
"""The groups that usage is told apart by. `organization_id` is ours: the keys of a parent read several organizations."""
LINE_ITEM: Final = "line_item"
API_SOURCE: Final = "api_source"
NOT_KNOWN: Final = {
    "size": None,
    "source": None,
    "vector_store_id": None,
    "context_level": None,
    API_SOURCE: "unlabeled",
}
"""The groups that nothing is known of, and the value of everything in them."""
PARTS: Final = ("project_id", "user_id", "api_key_id")
MODEL_FILTERS: Final = ("project_ids", "user_ids", "api_key_ids", "models")
INPUT_TEXT: Final = (
    "usage.input_tokens - usage.input_cached_tokens - usage.input_cache_write_tokens - usage.input_audio_tokens"
    " - usage.input_image_tokens - usage.input_video_tokens"
)
REQUESTS: Final = {"num_model_requests": "usage.num_model_requests"}


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """`name`: its last part in addresses; `object`: what its results call themselves; `fields`: their numbers, each the sum of
    an expression; `groups` and `filters`: what its parameters may say; `refused`: filters by what is not known here."""

    name: str
    object: str
    usage_type: UsageType | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[str, ...] = PARTS
    filters: tuple[str, ...] = MODEL_FILTERS
    refused: tuple[str, ...] = ()
    takes_batch: bool = False
    limits: Mapping[str, tuple[int, int]] = field(
        default_factory=lambda: {"1m": (60, 1440), "1h": (24, 168), "1d": (7, 31)}
    )
    """Of each width of a bucket: how many are in a page if nothing is said, and at most."""


USAGE: Final = (
    Endpoint(
        name="completions",
        object="organization.usage.completions.result",
        usage_type=UsageType.COMPLETIONS,
        fields={
            "input_tokens": "usage.input_tokens",
            "output_tokens": "usage.output_tokens",
            **REQUESTS,
            "input_cached_tokens": "usage.input_cached_tokens",
            "input_cache_write_tokens": "usage.input_cache_write_tokens",
            "input_cache_write_30m_tokens": "usage.input_cache_write_tokens - usage.input_cache_write_long_tokens",
            "input_cache_write_12h_tokens": "usage.input_cache_write_long_tokens",
            "input_uncached_tokens": "usage.input_tokens - usage.input_cached_tokens - usage.input_cache_write_tokens",
            "input_text_tokens": INPUT_TEXT,
            "input_audio_tokens": "usage.input_audio_tokens",
            "input_image_tokens": "usage.input_image_tokens",
            "output_text_tokens": "usage.output_tokens - usage.output_audio_tokens - usage.output_image_tokens",
            "output_audio_tokens": "usage.output_audio_tokens",
            "output_image_tokens": "usage.output_image_tokens",
        },
        groups=(*PARTS, "model", "batch", "service_tier", API_SOURCE),
        takes_batch=True,
    ),
    Endpoint(
        name="embeddings",
        object="organization.usage.embeddings.result",
        usage_type=UsageType.EMBEDDINGS,
        fields={"input_tokens": "usage.input_tokens", **REQUESTS},
        groups=(*PARTS, "model"),
    ),
    Endpoint(
        name="moderations",
        object="organization.usage.moderations.result",
        usage_type=UsageType.MODERATIONS,
        fields={"input_tokens": "usage.input_tokens", **REQUESTS},
        groups=(*PARTS, "model"),
    ),
    Endpoint(
        name="images",
        object="organization.usage.images.result",
        usage_type=UsageType.IMAGES,
        fields={"images": "usage.images", **REQUESTS},
        groups=(*PARTS, "model", "size", "source"),
        refused=("sizes", "sources"),
    ),
    Endpoint(
        name="audio_speeches",
        object="organization.usage.audio_speeches.result",
        usage_type=UsageType.AUDIO_SPEECHES,
        fields={"characters": "usage.characters", **REQUESTS},
        groups=(*PARTS, "model"),
    ),
    Endpoint(
        name="audio_transcriptions",
        object="organization.usage.audio_transcriptions.result",
        usage_type=UsageType.AUDIO_TRANSCRIPTIONS,
        fields={"seconds": "usage.seconds", **REQUESTS},
        groups=(*PARTS, "model"),
    ),
    Endpoint(
        name="vector_stores",
        object="organization.usage.vector_stores.result",
        usage_type=UsageType.VECTOR_STORES,
        fields={"usage_bytes": "usage.usage_bytes"},
        groups=("project_id",),
        filters=("project_ids",),
    ),
    Endpoint(
        name="code_interpreter_sessions",
        object="organization.usage.code_interpreter_sessions.result",
        usage_type=UsageType.CODE_INTERPRETER_SESSIONS,
        fields={"num_sessions": "usage.num_sessions"},
        groups=("project_id",),
        filters=("project_ids",),
    ),
    Endpoint(
        name="file_search_calls",
        object="organization.usage.file_searches.result",
        usage_type=UsageType.FILE_SEARCH_CALLS,
        fields={"num_requests": "usage.num_model_requests"},
        groups=(*PARTS, "vector_store_id"),
        filters=("project_ids", "user_ids", "api_key_ids"),
        refused=("vector_store_ids",),
    ),
    Endpoint(
        name="web_search_calls",
        object="organization.usage.web_searches.result",
        usage_type=UsageType.WEB_SEARCH_CALLS,
        fields={**REQUESTS, "num_requests": "usage.num_model_requests"},
        groups=(*PARTS, "model", "context_level", API_SOURCE),
        refused=("context_levels",),
    ),
)
COSTS: Final = Endpoint(
    name="costs",
    object="organization.costs.result",
    groups=(*PARTS, LINE_ITEM, API_SOURCE),
    filters=("project_ids", "user_ids", "api_key_ids", "line_items"),
    limits={"1d": (7, 180)},
)
