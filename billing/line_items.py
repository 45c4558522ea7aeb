"""The one disjoint split of usage into priced parts: nothing is charged twice, and the parts sum to the measures.

`input_tokens` includes its cached, cache-write and audio parts, and `output_tokens` its audio part (product.md, section
3; ingest refuses events whose parts exceed the whole). So what is left of each is the plain part.
"""

from typing import Final

from billing.models import LineItem
from metering.measures import UsageType

# line item → its quantity, an SQL expression over a usage row with the alias `usage`
QUANTITIES: Final = {
    LineItem.INPUT: (
        "usage.input_tokens - usage.input_cached_tokens - usage.input_cache_write_tokens - usage.input_audio_tokens"
    ),
    LineItem.CACHED_INPUT: "usage.input_cached_tokens",
    LineItem.CACHE_WRITE: "usage.input_cache_write_tokens",
    LineItem.AUDIO_INPUT: "usage.input_audio_tokens",
    LineItem.OUTPUT: "usage.output_tokens - usage.output_audio_tokens",
    LineItem.AUDIO_OUTPUT: "usage.output_audio_tokens",
    LineItem.REQUEST: "usage.num_model_requests",
    LineItem.IMAGE: "usage.images",
    LineItem.SECOND: "usage.seconds",
    LineItem.CHARACTER: "usage.characters",
    LineItem.BYTE_DAY: "usage.usage_bytes",
    LineItem.SESSION: "usage.num_sessions",
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
}
_BY_THE_MILLION: Final = frozenset({"tokens", "characters", "byte-days"})
# How many units prices are said for: nobody thinks in dollars for a single token.
UNITS_OF_A_PRICE: Final = {line_item: 1_000_000 if unit in _BY_THE_MILLION else 1 for line_item, unit in UNITS.items()}
# For `CROSS JOIN LATERAL (…) AS item (line_item, quantity)`.
QUANTITIES_SQL: Final = "VALUES " + ", ".join(
    f"({line_item.value}::smallint, {expression})" for line_item, expression in QUANTITIES.items()
)

_TOKENS: Final = (
    LineItem.INPUT,
    LineItem.CACHED_INPUT,
    LineItem.CACHE_WRITE,
    LineItem.AUDIO_INPUT,
    LineItem.OUTPUT,
    LineItem.AUDIO_OUTPUT,
)
# What usage of a type is charged for. Any other line item is charged only where someone set a price for it.
CHARGED: Final[dict[UsageType, tuple[LineItem, ...]]] = {
    UsageType.COMPLETIONS: _TOKENS,
    UsageType.EMBEDDINGS: _TOKENS,
    UsageType.MODERATIONS: _TOKENS,
    UsageType.IMAGES: (*_TOKENS, LineItem.IMAGE),
    UsageType.AUDIO_SPEECHES: (*_TOKENS, LineItem.CHARACTER),
    UsageType.AUDIO_TRANSCRIPTIONS: (*_TOKENS, LineItem.SECOND),
    UsageType.VECTOR_STORES: (LineItem.BYTE_DAY,),
    UsageType.CODE_INTERPRETER_SESSIONS: (LineItem.SESSION,),
    UsageType.FILE_SEARCH_CALLS: (LineItem.REQUEST,),
    UsageType.WEB_SEARCH_CALLS: (LineItem.REQUEST,),
}
# For `(usage_type, line_item) IN (…)`.
CHARGED_SQL: Final = ", ".join(
    f"({usage_type.value}, {line_item.value})" for usage_type, line_items in CHARGED.items() for line_item in line_items
)
