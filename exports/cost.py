"""The Cost export: one row per UTC day × line item × model × user × key, apart where the unit price differs.

`cost` is in cents and `cost_in_major` in dollars, with eight decimals or as many more as the exact value has, so that
the sum of the rows is the sum of the costs. Both are empty, like `unit_price`, where no price is known.
"""

from collections.abc import Iterator
from typing import Final

from billing.line_items import QUANTITIES, UNITS
from billing.models import LineItem
from exports.columns import Column, Format, Kind, chunks, exact_cell, named_cell
from exports.names import day_by_day_sql
from metering.queries import UsageQuery

AMOUNT: Final = "sums.quantity * sums.unit_price"
COLUMNS: Final = (
    Column("timestamp", "extract(epoch FROM sums.day)::bigint", Kind.NUMBER),
    Column("currency", "'usd'"),
    Column("name", "models.name", Kind.TEXT),
    Column("cost", exact_cell(f"{AMOUNT} * 100"), Kind.NUMBER),
    Column("organization_id", "organizations.public_id"),
    Column("project_id", "''"),
    Column("project_name", "''"),
    Column("organization_name", "organizations.name", Kind.TEXT),
    Column("cost_in_major", exact_cell(AMOUNT, decimals=8), Kind.NUMBER),
    Column("date", "sums.day"),
    Column("line_item", named_cell("sums.line_item", {item.value: item.label for item in LineItem})),
    Column("model", "models.name", Kind.TEXT),
    Column("quantity", "sums.quantity", Kind.NUMBER),
    Column("quantity_unit", named_cell("sums.line_item", {item.value: unit for item, unit in UNITS.items()})),
    Column("unit_price", exact_cell("sums.unit_price"), Kind.NUMBER),
    Column("user_id", "people.public_id"),
    Column("user_email", "people.email", Kind.TEXT),
    Column("api_key_id", "keys.public_id"),
    Column("api_key_name", "keys.name", Kind.TEXT),
)
GROUPS: Final = (
    "usage.organization_id",
    "usage.day",
    "usage.user_id",
    "usage.api_key_id",
    "sku.model_id",
    "cost.line_item",
    "cost.unit_price",
)
ORDER: Final = tuple(group.partition(".")[2] for group in GROUPS)
QUANTITY: Final = (
    "CASE cost.line_item "
    + " ".join(f"WHEN {line_item.value} THEN {quantity}" for line_item, quantity in QUANTITIES.items())
    + " END"
)


def cost_rows(query: UsageQuery, form: Format) -> Iterator[str]:
    """The file of all costs that the query finds, in pieces; the grouping of the query does not matter here."""
    return chunks(form, COLUMNS, _sql(query, form), query.parameters())


def _sql(query: UsageQuery, form: Format) -> str:
    sums_sql = f"""
        SELECT {", ".join(GROUPS)}, sum({QUANTITY}) AS quantity
        FROM metering_dailyusage usage
        JOIN metering_sku sku ON sku.id = usage.sku_id
        JOIN billing_dailycost cost ON cost.organization_id = usage.organization_id
            AND cost.day = usage.day AND cost.sku_id = usage.sku_id
        WHERE usage.day = days.day AND {query.conditions("usage")} AND {QUANTITY} <> 0
        GROUP BY {", ".join(GROUPS)}
    """
    return day_by_day_sql(query, form, sums_sql, COLUMNS, order=ORDER)
