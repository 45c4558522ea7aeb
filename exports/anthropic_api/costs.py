"""What it cost, as `GET /v1/organizations/analytics/cost` answers it: at our prices and at those that hold for everybody."""

from decimal import Decimal
from typing import Any, Final

from billing.models import LineItem
from billing.prices.list_prices import list_prices_sql
from exports.admin_api.sums import QUANTITY, Row, shortest
from exports.anthropic_api import ranking
from exports.anthropic_api.ranking import Place, Ranked
from exports.anthropic_api.requests import COST, GROUPS, Asked
from exports.anthropic_api.shown import Shown
from metering.measures import UsageType
from metering.usage.queries import MEASURE_SUMS, UsageQuery, fetch

OTHER: Final = "other"
TOKENS: Final = "tokens"
INPUT, READ, WRITE, LONG_WRITE, OUTPUT = TOKEN_TYPES = (
    "uncached_input_tokens",
    "cache_read_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens",
    "cache_creation.ephemeral_1h_input_tokens",
    "output_tokens",
)
KINDS: Final = (*TOKEN_TYPES, "web_search", "code_execution", OTHER, TOKENS)
"""What a cost is of, in the vendor's words, which has none for what is OTHER: images, seconds, characters, storage, other
requests. TOKENS are those of all types together."""
TOKEN_TYPE_OF: Final = {
    LineItem.INPUT: INPUT,
    LineItem.AUDIO_INPUT: INPUT,
    LineItem.IMAGE_INPUT: INPUT,
    LineItem.VIDEO_INPUT: INPUT,
    LineItem.CACHED_INPUT: READ,
    LineItem.CACHE_WRITE: WRITE,
    LineItem.LONG_CACHE_WRITE: LONG_WRITE,
    LineItem.OUTPUT: OUTPUT,
    LineItem.AUDIO_OUTPUT: OUTPUT,
    LineItem.IMAGE_OUTPUT: OUTPUT,
}
LISTED: Final = list_prices_sql(
    "cost.organization_id = ANY(%(organization_ids)s) AND cost.day >= %(start)s AND cost.day < %(end)s"
)
LIST_PRICE: Final = "coalesce(listed.unit_price, price.unit_price)"
CENTS: Final = 100


def kind_of(line_item: LineItem, usage_type: int) -> str:
    if line_item == LineItem.REQUEST and usage_type == UsageType.WEB_SEARCH_CALLS:
        return "web_search"
    if line_item == LineItem.SESSION:
        return "code_execution"
    return TOKEN_TYPE_OF.get(line_item, OTHER)


def kind_fields(kind: str) -> dict[str, str | None]:
    if kind == TOKENS or kind in TOKEN_TYPES:
        token_type = None if kind == TOKENS else kind
        return {"cost_type": TOKENS, "token_type": token_type}
    return {"cost_type": None if kind == OTHER else kind, "token_type": None}


def cents(amount: Decimal) -> str:
    """An amount of dollars as the text of fractional cents, with all its digits."""
    return f"{shortest(amount * CENTS):f}"


def read(query: UsageQuery, asked: Asked, place: Place) -> list[Row]:
    """As `ranking.Read`; the figures are a kind (its place in KINDS), amount, amount at list prices, whether
    any of it has no price, and requests."""
    rows = ranking.rows_of(query, asked)
    keys = ranking.keys_of(asked, rows)
    condition, parameters = ranking.after(keys, place)
    names, bars = rows.names, rows.bars
    key_names = ", ".join(f"key_{number}" for number, _ in enumerate(keys))
    return fetch(
        f"""
        WITH listed AS MATERIALIZED ({LISTED}),
        sums AS MATERIALIZED (
            SELECT usage.organization_id, usage.sku_id, {bars.day} AS day, {rows.selected}, {MEASURE_SUMS}
            {bars.from_where} GROUP BY organization_id, sku_id, day, {names}
        ),
        items AS (
            SELECT {names}, kind, coalesce(sum(quantity * unit_price), 0) AS amount,
                coalesce(sum(quantity * list_unit_price), 0) AS list_amount, bool_or(unit_price IS NULL) AS is_unpriced
            FROM (
                SELECT {names}, {_kind(asked)} AS kind, price.unit_price, {LIST_PRICE} AS list_unit_price,
                    {QUANTITY} AS quantity
                FROM sums AS usage JOIN metering_sku AS sku ON sku.id = usage.sku_id
                JOIN billing_dailycost AS price ON price.organization_id = usage.organization_id
                    AND price.day = usage.day AND price.sku_id = usage.sku_id
                LEFT JOIN listed ON listed.organization_id = price.organization_id AND listed.day = price.day
                    AND listed.sku_id = price.sku_id AND listed.line_item = price.line_item
                OFFSET 0
            ) AS priced
            WHERE quantity <> 0 AND {_is_asked(asked)} GROUP BY {names}, kind
        ),
        page AS (
            SELECT *, {", ".join(f"{key} AS key_{number}" for number, key in enumerate(keys))}
            FROM (
                SELECT {names}, sum(amount) AS amount, sum(list_amount) AS list_amount FROM items GROUP BY {names}
            ) AS totals
            WHERE {condition} ORDER BY {", ".join(keys)} LIMIT %(most)s
        )
        SELECT {ranking.through(query)}, {key_names}, {names},
            kind, items.amount, items.list_amount, is_unpriced, requests
        FROM page JOIN items USING ({names})
        JOIN (SELECT {names}, sum(num_model_requests) AS requests FROM sums GROUP BY {names}) AS used USING ({names})
        ORDER BY {key_names}, kind
        """,
        {**query.parameters(), **parameters, "most": asked.limit + 1},
    )


def show(row: Ranked, asked: Asked, names: Shown) -> list[dict[str, Any]]:
    group = names.fields((*GROUPS, *COST.fan_out), row.parts)
    return [
        {
            "group": group | (kind_fields(KINDS[kind]) if asked.fan_out else {}),
            "cost": {
                "amount": cents(amount),
                "list_amount": cents(list_amount),
                "currency": "USD",
                "requests": None if asked.fan_out else shortest(requests),
                "x_unpriced": bool(is_unpriced),
            },
        }
        for kind, amount, list_amount, is_unpriced, requests in row.figures
    ]


def _kind(asked: Asked) -> str:
    """The expression of the kind of a cost, of `price` and `sku`."""
    if not asked.fan_out:
        return f"{KINDS.index(OTHER)}"
    search = f"price.line_item = {LineItem.REQUEST.value} AND sku.usage_type = {UsageType.WEB_SEARCH_CALLS.value}"
    kinds = TOKEN_TYPE_OF if "token_type" in asked.fan_out else dict.fromkeys(TOKEN_TYPE_OF, TOKENS)
    cases = {**kinds, LineItem.SESSION: "code_execution"}.items()
    of_items = " ".join(f"WHEN {item.value} THEN {KINDS.index(kind)}" for item, kind in cases)
    return f"""CASE WHEN {search} THEN {KINDS.index("web_search")}
        ELSE CASE price.line_item {of_items} ELSE {KINDS.index(OTHER)} END END"""


def _is_asked(asked: Asked) -> str:
    """Told apart by types of tokens alone, rows are of tokens alone."""
    return f"kind < {len(TOKEN_TYPES)}" if asked.fan_out == ("token_type",) else "true"
