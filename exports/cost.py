"""The Cost export: one row per UTC day × line item × model × user × key and what it was for, apart where the unit
price differs.

`cost` is in cents and `cost_in_major` in dollars, with eight decimals or as many more as the exact value has, so that
the sum of the rows is the sum of the costs. Both are empty, like `unit_price`, where no price is known.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from billing.line_items import UNITS
from billing.models import LineItem
from billing.priced_usage import quantity_of
from exports.columns import Column, Format, Kind, Statement, chunks, exact_cell, named_cell
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
from metering.usage.queries import UsageQuery
from metering.usage.sources import by_attribution

AMOUNT: Final = "sums.quantity * sums.unit_price"
ORGANIZATION_ID_COLUMN, ORGANIZATION_NAME_COLUMN = ORGANIZATION_COLUMNS
COLUMNS: Final = (
    TIMESTAMP_COLUMN,
    Column("currency", "'usd'"),
    replace(MODEL_COLUMN, name="name"),
    Column("cost", exact_cell(f"{AMOUNT} * 100"), Kind.NUMBER),
    ORGANIZATION_ID_COLUMN,
    PROJECT_ID_COLUMN,
    PROJECT_NAME_COLUMN,
    ORGANIZATION_NAME_COLUMN,
    Column("cost_in_major", exact_cell(AMOUNT, decimals=8), Kind.NUMBER),
    DATE_COLUMN,
    Column("line_item", named_cell("sums.line_item", {item.value: item.label for item in LineItem})),
    MODEL_COLUMN,
    Column("quantity", "sums.quantity", Kind.NUMBER),
    Column("quantity_unit", named_cell("sums.line_item", {item.value: unit for item, unit in UNITS.items()})),
    Column("unit_price", exact_cell("sums.unit_price"), Kind.NUMBER),
    *PERSON_COLUMNS,
    *KEY_COLUMNS,
    ATTRIBUTES_COLUMN,
)
ORDER: Final = (PERSON_AND_KEY, "skus.model_id", "sums.line_item", "sums.unit_price")
QUANTITY: Final = quantity_of("cost")


def cost_rows(query: UsageQuery, form: Format) -> Iterator[str]:
    """The file of all costs that the query finds, in pieces; the grouping of the query does not matter here."""
    return chunks(form, COLUMNS, partial(_statement, query, form))


def _statement(query: UsageQuery, form: Format) -> Statement:
    usage = by_attribution(query, "usage.day = days.day")
    sums_sql = f"""
        SELECT usage.organization_id, usage.user_id, usage.api_key_id, min(usage.sku_id) AS sku_id,
            usage.attribution_id, cost.line_item, cost.unit_price, sum({QUANTITY}) AS quantity
        FROM {usage.rows} AS usage
        JOIN metering_sku sku ON sku.id = usage.sku_id
        JOIN billing_dailycost cost ON cost.organization_id = usage.organization_id
            AND cost.day = usage.day AND cost.sku_id = usage.sku_id
        WHERE {usage.conditions} AND {QUANTITY} <> 0
        GROUP BY usage.organization_id, usage.user_id, usage.api_key_id, usage.attribution_id,
            sku.model_id, cost.line_item, cost.unit_price
    """
    return day_by_day_sql(query, form, sums_sql, COLUMNS, order=ORDER), query.parameters()
