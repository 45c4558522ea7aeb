"""What makes an event acceptable by itself, whoever sends it and whenever (product.md, section 3)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final

from django.conf import settings

from metering import price_words, service_tiers
from metering.intake.formats.events import Correction, Event, PlainEvent, Refusal
from metering.intake.skus import SkuKey, context_band
from metering.measures import (
    ALLOWED_MEASURES,
    BATCH_TIER,
    MEASURES,
    MODEL_OPTIONAL,
    PARTS,
    UNIT_MEASURES,
    USAGE_TYPES,
    ServiceTier,
    UsageType,
)
from metering.price_words import NOT_SAID, Dimension

MAX_MODEL_LENGTH: Final = 128
_measures: Final = attrgetter(*MEASURES)
ADVICE: Final = {
    "input_tokens": " A token counts in one of them: cached audio is in `input_cached_tokens`, and `input_audio_tokens` is the"
    " audio that was not cached."
}
_foreign_measures: Final[dict[UsageType, Callable[[Any], tuple[int, ...]]]] = {
    usage_type: attrgetter(*(measure for measure in MEASURES if measure not in allowed))
    for usage_type, allowed in ALLOWED_MEASURES.items()
}


def check(event: PlainEvent | Event | Correction) -> SkuKey | Refusal:  # noqa: PLR0911 - one return per reason reads best
    """The key of the event's SKU, or why the event is refused.

    A correction has the context band of what it corrects, which is not known yet: 0 stands in its place.
    """
    usage_type = USAGE_TYPES.get(event.usage_type)
    if usage_type is None:
        return Refusal("unknown_usage_type", f"`usage_type` must be one of {', '.join(USAGE_TYPES)}.")
    if not is_visible(event.id):
        return Refusal("invalid_id", "`id` must consist of 1 to 64 visible characters.")
    service_tier, is_batch = _tier(event)
    if isinstance(service_tier, str) and not is_word(service_tier):
        return Refusal(
            "invalid_service_tier",
            f"`service_tier` must be a word of 1 to {service_tiers.MAX_LENGTH} visible characters.",
        )
    words = _price_words(event)
    if isinstance(words, Refusal):
        return words
    model = event.model
    if not model and usage_type in MODEL_OPTIONAL:
        model = usage_type.label
    if not _is_name(model, MAX_MODEL_LENGTH):
        return Refusal("invalid_model", "`model` must be the model's name: 1 to 128 visible characters.")
    if any(_foreign_measures[usage_type](event)):
        return _foreign_measure(event, usage_type)
    measures = dict(zip(MEASURES, _measures(event), strict=True))
    is_correction = isinstance(event, Correction)
    if refusal := too_large(measures) or (None if is_correction else parts_exceed_whole(measures)):
        return refusal
    band = 0 if is_correction else context_band(event.input_tokens, event.num_model_requests)
    in_both_units = any(map(measures.get, UNIT_MEASURES)) and bool(
        measures["input_tokens"] or measures["output_tokens"]
    )
    output_is_split = usage_type == UsageType.IMAGES and measures["output_image_tokens"] > 0
    return SkuKey(model, usage_type, service_tier, is_batch, *words, band, in_both_units, output_is_split)


def _tier(event: PlainEvent | Event | Correction) -> tuple[int | str, bool]:
    """(the tier's number, or the word that stands for it if this process does not know it; whether it is a batch)."""
    word = event.service_tier or "default"
    if word.lower() == BATCH_TIER:
        return int(ServiceTier.DEFAULT), True
    number = service_tiers.number_of(word)
    return word if number is None else number, event.batch


def is_word(text: str) -> bool:
    """Whether this can be a word for a service tier."""
    return _is_name(text, service_tiers.MAX_LENGTH)


def _price_words(event: PlainEvent | Event | Correction) -> tuple[int | str, int | str, int | str] | Refusal:
    """For provider, speed and region the number, or the word that stands for it if this process does not know it."""
    if not (event.provider or event.speed or event.region):
        return NOT_SAID, NOT_SAID, NOT_SAID
    for dimension in Dimension:
        word = (getattr(event, dimension.label) or "").lower()
        if word and not _is_name(word, price_words.MAX_LENGTH):
            return Refusal(
                f"invalid_{dimension.label}",
                f"`{dimension.label}` must be a word of 1 to {price_words.MAX_LENGTH} visible characters.",
            )
    return (
        _number_or_word(Dimension.PROVIDER, event.provider),
        _number_or_word(Dimension.SPEED, event.speed),
        _number_or_word(Dimension.REGION, event.region),
    )


def _number_or_word(dimension: Dimension, word: str | None) -> int | str:
    number = price_words.number_of(dimension, word or "")
    return (word or "").lower() if number is None else number


def _is_name(text: str, max_length: int) -> bool:
    return 0 < len(text) <= max_length and text.isprintable() and text == text.strip()


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


def too_large(measures: Mapping[str, int]) -> Refusal | None:
    """Why an event may not report so much, if it may not. Signed measures count by their size."""
    if max(measures.values()) <= settings.USAGE_EVENT_MAX_MEASURE and min(measures.values()) >= 0:
        return None
    for name, value in measures.items():
        most = settings.USAGE_EVENT_MAX_BYTES if name == "usage_bytes" else settings.USAGE_EVENT_MAX_MEASURE
        if abs(value) > most:
            return Refusal("measure_too_large", f"`{name}` is {value:,}; an event can have at most {most:,}.")
    return None


def parts_exceed_whole(measures: Mapping[str, int]) -> Refusal | None:
    """Why the parts of a token measure cannot be parts of it, if they cannot."""
    for whole, parts in PARTS:
        total = sum(measures[part] for part in parts)
        if total > measures[whole]:
            return Refusal(
                "parts_exceed_whole",
                f"{_sum_of(measures, parts)} exceed `{whole}` ({measures[whole]}), of which they are separate parts."
                f"{ADVICE.get(whole, '')}",
            )
    return None


def _sum_of(measures: Mapping[str, int], parts: Sequence[str]) -> str:
    """'`input_cached_tokens` (1408) and `input_audio_tokens` (110), together 1518,'."""
    named = [f"`{part}` ({measures[part]})" for part in parts if measures[part]]
    return named[0] if len(named) == 1 else f"{' and '.join(named)}, together {sum(measures[part] for part in parts)},"


def _foreign_measure(event: PlainEvent | Event | Correction, usage_type: UsageType) -> Refusal:
    names = [name for name in MEASURES if name not in ALLOWED_MEASURES[usage_type] and getattr(event, name)]
    return Refusal("foreign_measure", f"`{'`, `'.join(names)}` does not belong to usage of type {usage_type.label}.")
