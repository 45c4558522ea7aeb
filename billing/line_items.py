"""The one disjoint split of usage into priced parts: nothing is charged twice, and the parts sum to the measures.

`input_tokens` includes its cached, cache-write, audio, image and video parts, and `output_tokens` its audio and image parts
(product.md, section 3; ingest refuses events whose parts exceed the whole). So what is left of each is the plain part, of cache
writes those of the short life time. Reasoning is output as any other.
"""

from collections.abc import Iterable
from typing import Final

from billing.models import LineItem
from metering.measures import UsageType

# line item → its quantity, an SQL expression over a usage row with the alias `usage`
QUANTITIES: Final = {
    LineItem.INPUT: (
        "usage.input_tokens - usage.input_cached_tokens - usage.input_cache_write_tokens - usage.input_audio_tokens"
        " - usage.input_image_tokens - usage.input_video_tokens"
    ),
    LineItem.CACHED_INPUT: "usage.input_cached_tokens",
    LineItem.CACHE_WRITE: "usage.input_cache_write_tokens - usage.input_cache_write_long_tokens",
    LineItem.AUDIO_INPUT: "usage.input_audio_tokens",
    LineItem.OUTPUT: "usage.output_tokens - usage.output_audio_tokens - usage.output_image_tokens",
    LineItem.AUDIO_OUTPUT: "usage.output_audio_tokens",
    LineItem.REQUEST: "usage.num_model_requests",
    LineItem.IMAGE: "usage.images",
    LineItem.SECOND: "usage.seconds",
    LineItem.CHARACTER: "usage.characters",
    LineItem.BYTE_DAY: "usage.usage_bytes",
    LineItem.SESSION: "usage.num_sessions",
    LineItem.LONG_CACHE_WRITE: "usage.input_cache_write_long_tokens",
    LineItem.IMAGE_INPUT: "usage.input_image_tokens",
    LineItem.VIDEO_INPUT: "usage.input_video_tokens",
    LineItem.IMAGE_OUTPUT: "usage.output_image_tokens",
}
UNITS: Final = {
    LineItem.INPUT: "tokens",
    LineItem.CACHED_INPUT: "tokens",
    LineItem.CACHE_WRITE: "tokens",
    LineItem.AUDIO_INPUT: "tokens",
    LineItem.OUTPUT: "tokens",
    LineItem.AUDIO_OUTPUT: "tokens",
    LineItem.REQUEST: "requests",
    LineItem.IMAGE: "images",
    LineItem.SECOND: "seconds",
    LineItem.CHARACTER: "characters",
    LineItem.BYTE_DAY: "byte-days",
    LineItem.SESSION: "sessions",
    LineItem.LONG_CACHE_WRITE: "tokens",
    LineItem.IMAGE_INPUT: "tokens",
    LineItem.VIDEO_INPUT: "tokens",
    LineItem.IMAGE_OUTPUT: "tokens",
}
# A part without a price of its own costs what the part costs that it was counted in before events told it apart, as in the
# default price list. Whose price it is comes first: a price that people set for cache writes holds for long ones too.
WIDER: Final = {
    LineItem.LONG_CACHE_WRITE: LineItem.CACHE_WRITE,
    LineItem.IMAGE_INPUT: LineItem.INPUT,
    LineItem.VIDEO_INPUT: LineItem.INPUT,
    LineItem.IMAGE_OUTPUT: LineItem.OUTPUT,
}
WIDER_SQL: Final = (
    f"CASE item.line_item {' '.join(f'WHEN {part.value} THEN {wider.value}' for part, wider in WIDER.items())} END"
)
_BY_THE_MILLION: Final = frozenset({"tokens", "characters", "byte-days"})
# How many units prices are said for: nobody thinks in dollars for a single token.
UNITS_OF_A_PRICE: Final = {line_item: 1_000_000 if unit in _BY_THE_MILLION else 1 for line_item, unit in UNITS.items()}


def quantities_sql(line_items: Iterable[LineItem]) -> str:
    """For `CROSS JOIN LATERAL (…) AS item (line_item, quantity)`: at least one."""
    return "VALUES " + ", ".join(f"({item.value}::smallint, {QUANTITIES[item]})" for item in line_items)


QUANTITIES_SQL: Final = quantities_sql(QUANTITIES)

TOKENS: Final = tuple(line_item for line_item, unit in UNITS.items() if unit == "tokens")
# What usage of a type is charged for. Any other line item is charged only where someone set a price for it.
CHARGED: Final[dict[UsageType, tuple[LineItem, ...]]] = {
    UsageType.COMPLETIONS: TOKENS,
    UsageType.EMBEDDINGS: TOKENS,
    UsageType.MODERATIONS: TOKENS,
    UsageType.IMAGES: (*TOKENS, LineItem.IMAGE),
    UsageType.AUDIO_SPEECHES: (*TOKENS, LineItem.CHARACTER),
    UsageType.AUDIO_TRANSCRIPTIONS: (*TOKENS, LineItem.SECOND),
    UsageType.VECTOR_STORES: (LineItem.BYTE_DAY,),
    UsageType.CODE_INTERPRETER_SESSIONS: (LineItem.SESSION,),
    UsageType.FILE_SEARCH_CALLS: (LineItem.REQUEST,),
    UsageType.WEB_SEARCH_CALLS: (LineItem.REQUEST,),
}
# For `(usage_type, line_item) IN (…)`.
CHARGED_SQL: Final = ", ".join(
    f"({usage_type.value}, {line_item.value})" for usage_type, line_items in CHARGED.items() for line_item in line_items
)


def priced_by(line_item: LineItem) -> list[int]:
    """The line items that a price of this one may be charged for."""
    return [line_item.value, *(part.value for part, wider in WIDER.items() if wider == line_item)]
