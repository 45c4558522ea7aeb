"""The Activity export: what was used, one row per UTC day × usage type × model × user × key (× tier × batch × provider),
and what it was for.

`n_context_tokens_total` is all input, cached input included; `cost_in_major` is in dollars, with eight decimals or as
many more as the exact value has, and empty where nothing of the row has a price.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from billing.models import LineItem
from billing.priced_usage import amount, side_by_side
from exports.columns import Column, Format, Kind, Statement, chunks, exact_cell, named_cell
from exports.columns import Source as About
from exports.names import (
    ATTRIBUTES_COLUMN,
    DATE_COLUMN,
    KEY_COLUMNS,
    MODEL_COLUMN,
    ORGANIZATION_COLUMNS,
    PERSON_AND_KEY,
    PERSON_COLUMNS,
    PROJECT_ID_COLUMN,
    PROJECT_NAME_COLUMN,
    TIMESTAMP_COLUMN,
    day_by_day_sql,
)
from metering.measures import MEASURES, UsageType
from metering.price_words import NAME_SQL as PROVIDER_SQL
from metering.price_words import OTHER
from metering.service_tiers import BUILT_IN, NAME_SQL
from metering.usage.queries import UsageQuery, fetch
from metering.usage.sources import Source, by_attribution

TEXT_USAGE_TYPES: Final = (UsageType.COMPLETIONS, UsageType.EMBEDDINGS, UsageType.MODERATIONS)
OPERATIONS: Final = {usage_type.value: usage_type.label for usage_type in UsageType}
CAPABILITIES: Final = OPERATIONS | dict.fromkeys(TEXT_USAGE_TYPES, "text")
TIER_CELL: Final = f"coalesce({named_cell('sku.service_tier', BUILT_IN)}, {NAME_SQL.format(number='sku.service_tier')})"
PROVIDER_CELL: Final = (
    f"coalesce({PROVIDER_SQL.format(number='sku.provider')}, CASE sku.provider WHEN {OTHER} THEN 'other' ELSE '' END)"
)
COLUMNS: Final = (
    Column("operation", named_cell("sku.usage_type", OPERATIONS), source=About.SKU),
    Column("n_context_tokens_total", "sums.input_tokens", Kind.WHOLE),
    Column("n_generated_tokens_total", "sums.output_tokens", Kind.WHOLE),
    *KEY_COLUMNS,
    Column("api_key_redacted", "redacted", Kind.TEXT, About.KEY),
    Column("usage_type", named_cell("sku.usage_type", CAPABILITIES), source=About.SKU),
    MODEL_COLUMN,
    TIMESTAMP_COLUMN,
    Column("user", "coalesce(nullif(name, ''), email)", Kind.TEXT, About.PERSON),
    Column("num_requests", "sums.num_model_requests", Kind.WHOLE),
    DATE_COLUMN,
    *ORGANIZATION_COLUMNS,
    *PERSON_COLUMNS,
    Column("service_tier", TIER_CELL, Kind.TEXT, About.SKU),
    Column("batch", "sku.batch", Kind.NUMBER, About.SKU),
    Column("n_cached_context_tokens_total", "sums.input_cached_tokens", Kind.WHOLE),
    Column("n_cache_write_context_tokens_total", "sums.input_cache_write_tokens", Kind.WHOLE),
    Column("num_images", "sums.images", Kind.WHOLE),
    Column("num_seconds", "sums.seconds", Kind.WHOLE),
    Column("num_characters", "sums.characters", Kind.WHOLE),
    Column("num_sessions", "sums.num_sessions", Kind.WHOLE),
    Column("usage_bytes", "sums.usage_bytes", Kind.WHOLE),
    Column("cost_in_major", exact_cell("sums.cost", decimals=8), Kind.NUMBER),
    Column("n_cache_write_long_context_tokens_total", "sums.input_cache_write_long_tokens", Kind.WHOLE),
    Column("n_audio_context_tokens_total", "sums.input_audio_tokens", Kind.WHOLE),
    Column("n_image_context_tokens_total", "sums.input_image_tokens", Kind.WHOLE),
    Column("n_video_context_tokens_total", "sums.input_video_tokens", Kind.WHOLE),
    Column("n_audio_generated_tokens_total", "sums.output_audio_tokens", Kind.WHOLE),
    Column("n_image_generated_tokens_total", "sums.output_image_tokens", Kind.WHOLE),
    Column("n_reasoning_generated_tokens_total", "sums.output_reasoning_tokens", Kind.WHOLE),
    Column("provider", PROVIDER_CELL, Kind.TEXT, About.SKU),
    PROJECT_ID_COLUMN,
    PROJECT_NAME_COLUMN,
    ATTRIBUTES_COLUMN,
)
ORDER: Final = (f"{PERSON_AND_KEY} << 18 | skus.place",)

PRICED_SQL: Final = """
SELECT DISTINCT line_item FROM billing_dailycost
WHERE organization_id = ANY(%(organization_ids)s) AND day >= %(start)s AND day < %(end)s AND unit_price IS NOT NULL
"""
# SKUs of which an export says the same: they differ by what only prices depend on, the size of the context for example.
ALIKE_SQL: Final = """
SELECT array_agg(id) FROM metering_sku
WHERE id IN (
    SELECT sku_id FROM metering_organizationdailyusage
    WHERE organization_id = ANY(%(organization_ids)s) AND day >= %(start)s AND day < %(end)s
)
GROUP BY model_id, usage_type, service_tier, batch, provider HAVING count(*) > 1
"""


def activity_rows(query: UsageQuery, form: Format) -> Iterator[str]:
    """The file of all usage that the query finds, in pieces; the grouping of the query does not matter here."""
    return chunks(form, COLUMNS, partial(_statement, query, form))


def _statement(query: UsageQuery, form: Format) -> Statement:
    """Most rows of a day are a line each as they are; only those of SKUs that look alike are added up."""
    priced = [LineItem(line_item) for (line_item,) in fetch(PRICED_SQL, query.parameters())]
    alike = [sku_id for (sku_ids,) in fetch(ALIKE_SQL, query.parameters()) for sku_id in sku_ids]
    usage = by_attribution(query, "usage.day = days.day")
    sums = ", ".join(f"sum(usage.{measure}) AS {measure}" for measure in MEASURES)
    rows_sql = f"""
        SELECT usage.organization_id, usage.user_id, usage.api_key_id, usage.sku_id, usage.attribution_id,
            {", ".join(f"usage.{measure}" for measure in MEASURES)}, {amount("prices", priced)} AS cost
        {_usage_sql(usage, priced, with_skus=query.filters_skus)} AND usage.sku_id <> ALL(%(alike)s)
        UNION ALL
        SELECT usage.organization_id, usage.user_id, usage.api_key_id, min(usage.sku_id), usage.attribution_id, {sums},
            sum({amount("prices", priced)}) AS cost
        {_usage_sql(usage, priced, with_skus=True)} AND usage.sku_id = ANY(%(alike)s)
        GROUP BY usage.organization_id, usage.user_id, usage.api_key_id, usage.attribution_id,
            sku.model_id, sku.usage_type, sku.service_tier, sku.batch, sku.provider
    """
    return day_by_day_sql(query, form, rows_sql, COLUMNS, order=ORDER), {**query.parameters(), "alike": alike}


def _usage_sql(usage: Source, priced: Sequence[LineItem], *, with_skus: bool) -> str:
    skus_join = "JOIN metering_sku sku ON sku.id = usage.sku_id" if with_skus else ""
    return f"""
        FROM {usage.rows} AS usage {skus_join}
        LEFT JOIN ({_prices_sql(priced)}) AS prices USING (organization_id, sku_id)
        WHERE {usage.conditions}
    """


def _prices_sql(priced: Sequence[LineItem]) -> str:
    """The unit prices of one day: a row for each organization and SKU with the line items side by side, so that joining
    it multiplies nothing."""
    return f"""
        SELECT {", ".join(["organization_id", "sku_id", *side_by_side("unit_price", priced)])} FROM billing_dailycost
        WHERE organization_id = ANY(%(organization_ids)s) AND day = days.day
        GROUP BY organization_id, sku_id
    """
