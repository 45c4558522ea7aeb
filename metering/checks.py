"""What makes an event acceptable by itself, whoever sends it and whenever (product.md, section 3)."""

from collections.abc import Callable
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final

from metering.formats.events import Correction, Event, Refusal
from metering.measures import (
    ALLOWED_MEASURES,
    MEASURES,
    MODEL_OPTIONAL,
    SERVICE_TIERS,
    USAGE_TYPES,
    UsageType,
)
from metering.skus import SkuKey, context_band

_foreign_measures: Final[dict[UsageType, Callable[[Any], tuple[int, ...]]]] = {
    usage_type: attrgetter(*(measure for measure in MEASURES if measure not in allowed))
    for usage_type, allowed in ALLOWED_MEASURES.items()
}


def check(event: Event | Correction) -> SkuKey | Refusal:  # noqa: PLR0911 - one return per reason reads best
    """The key of the event's SKU, or why the event is refused."""
    usage_type = USAGE_TYPES.get(event.usage_type)
    if usage_type is None:
        return Refusal("unknown_usage_type", f"`usage_type` must be one of {', '.join(USAGE_TYPES)}.")
    if not is_visible(event.id):
        return Refusal("invalid_id", "`id` must consist of 1 to 64 visible characters.")
    service_tier = SERVICE_TIERS.get(event.service_tier or "default")
    if service_tier is None:
        return Refusal("unknown_service_tier", f"`service_tier` must be one of {', '.join(SERVICE_TIERS)}.")
    model = event.model
    if not model and usage_type in MODEL_OPTIONAL:
        model = usage_type.label
    if not model or not model.isprintable() or model != model.strip():
        return Refusal("invalid_model", "`model` must be the model's name: 1 to 128 visible characters.")
    if any(_foreign_measures[usage_type](event)):
        return _foreign_measure(event, usage_type)
    if isinstance(event, Correction):
        band = context_band(abs(event.input_tokens), abs(event.num_model_requests))
    else:
        if refusal := _parts_exceed_whole(event):
            return refusal
        band = context_band(event.input_tokens, event.num_model_requests)
    return model, usage_type, service_tier, event.batch, band


def is_visible(text: str) -> bool:
    """Whether all characters can be seen: none is a space or a control character."""
    return " " not in text and text.isprintable()


def utc(timestamp: datetime | float) -> datetime | None:
    """An event's timestamp in UTC; None for one that no calendar holds."""
    try:
        if isinstance(timestamp, datetime):
            return timestamp if timestamp.tzinfo is UTC else timestamp.astimezone(UTC)
        return datetime.fromtimestamp(timestamp, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _parts_exceed_whole(event: Event) -> Refusal | None:
    parts = event.input_cached_tokens + event.input_cache_write_tokens + event.input_audio_tokens
    if parts > event.input_tokens:
        return Refusal(
            "parts_exceed_whole",
            f"Cached, cache-write and audio input ({parts}) exceed `input_tokens` ({event.input_tokens}),"
            " which includes them.",
        )
    if event.output_audio_tokens > event.output_tokens:
        return Refusal(
            "parts_exceed_whole",
            f"`output_audio_tokens` ({event.output_audio_tokens}) exceed `output_tokens` ({event.output_tokens}),"
            " which include them.",
        )
    return None


def _foreign_measure(event: Event | Correction, usage_type: UsageType) -> Refusal:
    names = [name for name in MEASURES if name not in ALLOWED_MEASURES[usage_type] and getattr(event, name)]
    return Refusal("foreign_measure", f"`{'`, `'.join(names)}` does not belong to usage of type {usage_type.label}.")
