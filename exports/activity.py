"""The Activity export: what was used, one row per UTC day × usage type × model × user × key (× tier × batch).

`n_context_tokens_total` is all input, cached input included; `cost_in_major` is in dollars, with eight decimals or as
many more as the exact value has, and empty where nothing of the row has a price.
"""

from collections.abc import Iterator
from typing import Final

from billing.line_items import QUANTITIES
from exports.columns import Column, Format, Kind, chunks, exact_cell, named_cell
from exports.names import day_by_day_sql
from metering.measures import MEASURES, ServiceTier, UsageType
from metering.queries import UsageQuery

TEXT_USAGE_TYPES: Final = (UsageType.COMPLETIONS, UsageType.EMBEDDINGS, UsageType.MODERATIONS)
OPERATIONS: Final = {usage_type.value: usage_type.label for usage_type in UsageType}
CAPABILITIES: Final = OPERATIONS | dict.fromkeys(TEXT_USAGE_TYPES, "text")
COLUMNS: Final = (
    Column("operation", named_cell("sums.usage_type", OPERATIONS)),
    Column("n_context_tokens_total", "sums.input_tokens", Kind.NUMBER),
    Column("n_generated_tokens_total", "sums.output_tokens", Kind.NUMBER),
    Column("api_key_id", "keys.public_id"),
    Column("api_key_name", "keys.name", Kind.TEXT),
    Column("api_key_redacted", "keys.redacted", Kind.TEXT),
    Column("usage_type", named_cell("sums.usage_type", CAPABILITIES)),
    Column("model", "models.name", Kind.TEXT),
    Column("timestamp", "extract(epoch FROM sums.day)::bigint", Kind.NUMBER),
    Column("user", "people.name", Kind.TEXT),
    Column("num_requests", "sums.num_model_requests", Kind.NUMBER),
    Column("date", "sums.day"),
    Column("organization_id", "organizations.public_id"),
    Column("organization_name", "organizations.name", Kind.TEXT),
    Column("user_id", "people.public_id"),
    Column("user_email", "people.email", Kind.TEXT),
    Column("service_tier", named_cell("sums.service_tier", {tier.value: tier.label for tier in ServiceTier})),
    Column("batch", "sums.batch", Kind.NUMBER),
    Column("n_cached_context_tokens_total", "sums.input_cached_tokens", Kind.NUMBER),
    Column("n_cache_write_context_tokens_total", "sums.input_cache_write_tokens", Kind.NUMBER),
    Column("num_images", "sums.images", Kind.NUMBER),
    Column("num_seconds", "sums.seconds", Kind.NUMBER),
    Column("num_characters", "sums.characters", Kind.NUMBER),
    Column("num_sessions", "sums.num_sessions", Kind.NUMBER),
    Column("usage_bytes", "sums.usage_bytes", Kind.NUMBER),
    Column("cost_in_major", exact_cell("sums.cost", decimals=8), Kind.NUMBER),
)
SUMS: Final = tuple(measure for measure in MEASURES if measure not in {"input_audio_tokens", "output_audio_tokens"})
GROUPS: Final = (
    "usage.organization_id",
    "usage.day",
    "usage.user_id",
    "usage.api_key_id",
    "sku.model_id",
    "sku.usage_type",
    "sku.service_tier",
    "sku.batch",
)
ORDER: Final = tuple(group.partition(".")[2] for group in GROUPS)


def activity_rows(query: UsageQuery, form: Format) -> Iterator[str]:
    """The file of all usage that the query finds, in pieces; the grouping of the query does not matter here."""
    return chunks(form, COLUMNS, _sql(query, form), query.parameters())


def _sql(query: UsageQuery, form: Format) -> str:
    sums = ", ".join(f"sum(usage.{measure}) AS {measure}" for measure in SUMS)
    sums_sql = f"""
        SELECT {", ".join(GROUPS)}, {sums}, sum({_cost_sql()}) AS cost
        FROM metering_dailyusage usage
        JOIN metering_sku sku ON sku.id = usage.sku_id
        LEFT JOIN ({_prices_sql()}) AS prices USING (organization_id, sku_id)
        WHERE usage.day = days.day AND {query.conditions("usage")}
        GROUP BY {", ".join(GROUPS)}
    """
    return day_by_day_sql(query, form, sums_sql, COLUMNS, order=ORDER)


def _prices_sql() -> str:
    """The unit prices of one day: a row for each organization and SKU with the line items side by side, so that joining
    it multiplies nothing."""
    unit_prices = ", ".join(
        f"max(unit_price) FILTER (WHERE line_item = {line_item.value}) AS price_{line_item.value}"
        for line_item in QUANTITIES
    )
    return f"""
        SELECT organization_id, sku_id, {unit_prices} FROM billing_dailycost
        WHERE organization_id = ANY(%(organization_ids)s) AND day = days.day
        GROUP BY organization_id, sku_id
    """


def _cost_sql() -> str:
    """The cost of one usage row: quantity × unit price over its line items; null if no quantity of it has a price."""
    prices = {f"prices.price_{line_item.value}": quantity for line_item, quantity in QUANTITIES.items()}
    is_priced = " OR ".join(f"({price} IS NOT NULL AND {quantity} <> 0)" for price, quantity in prices.items())
    total = " + ".join(
        f"CASE WHEN {price} IS NULL THEN 0 ELSE ({quantity}) * {price} END" for price, quantity in prices.items()
    )
    return f"CASE WHEN {is_priced} THEN {total} END"
