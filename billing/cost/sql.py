"""The statements behind `billing.cost.queries`: usage rows × the unit prices of the organization's daily cost.

Usage is added up per bar, part and SKU before it meets the prices, or meets them side by side in one row. Those joins are
outer ones, because PostgreSQL expects so few rows of an inner join with a common table expression that it loops. SQL is
built from constants of this code base alone; every value travels as a parameter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from billing.line_items import UNITS, quantities_sql
from billing.models import LineItem
from billing.priced_usage import ALL, quantity_of, side_by_side, sum_of_amounts
from metering.usage import sources
from metering.usage.groupings import LINE_ITEM
from metering.usage.queries import Step, UsageQuery

OWN_QUANTITY: Final = quantity_of("price")
ONCE: Final = "OFFSET 0"  # keeps PostgreSQL from reckoning a quantity again wherever it is used
LINE_SUMS: Final = "sum(quantity), coalesce(sum(amount), 0), coalesce(sum(quantity) FILTER (WHERE amount IS NULL), 0)"
PRICE_OF_DAY: Final = (
    "price.organization_id = usage.organization_id AND price.day = usage.day AND price.sku_id = usage.sku_id"
)
# The requests of the bars and SKUs that have a quantity without a price. (IS TRUE has them looked up in a table of hashes: a join
# would compare each row with each, because so few rows are expected.)
UNPRICED: Final = """
    SELECT 'unpriced', NULL, sku.model_id, NULL, sum(usage.num_model_requests), NULL, NULL
    FROM sums usage JOIN metering_sku sku ON sku.id = usage.sku_id
    WHERE ((usage.organization_id, usage.sku_id, usage.slot)
        IN (SELECT organization_id, sku_id, slot FROM costs WHERE amount IS NULL)) IS TRUE
    GROUP BY sku.model_id
"""
# What has a price in all its quantities: only of that is known what a unit of it costs. (NOT IN is looked up in a table of
# hashes; NOT EXISTS would compare each row with each, because so few rows are expected.)
PRICED: Final = (
    "({rows}.organization_id, {rows}.sku_id, {rows}.slot)"
    " NOT IN (SELECT organization_id, sku_id, slot FROM costs WHERE amount IS NULL)"
)
OF_TOKENS: Final = ", ".join(f"{item.value}" for item, unit in UNITS.items() if unit == "tokens")
UNIT_COSTS: Final = f"""
    SELECT 'unit', NULL, NULL, NULL, sum(usage.num_model_requests), (
        SELECT sum(amount) FROM costs WHERE {PRICED.format(rows="costs")}
    ), NULL FROM sums AS usage WHERE {PRICED.format(rows="usage")}
    UNION ALL
    SELECT 'token', NULL, NULL, NULL, sum(usage.input_tokens + usage.output_tokens), (
        SELECT sum(amount) FROM costs WHERE line_item IN ({OF_TOKENS}) AND {PRICED.format(rows="costs")}
    ), NULL FROM sums AS usage WHERE {PRICED.format(rows="usage")}
"""


NEAR_PRICE: Final = "CASE WHEN is_steady THEN unit_price ELSE mean_price END"
CHARGED: Final = """
    SELECT DISTINCT line_item FROM billing_dailycost
    WHERE organization_id = ANY(%(organization_ids)s) AND day >= %(start)s AND day < %(end)s
"""
"""The line items that anything was charged for, with or without a price: where there are many parts the others, of which nothing
comes, need not be reckoned for each."""


def ranking(query: UsageQuery, charged: Sequence[LineItem] = ALL, *, only: str = "") -> str:
    """part, amount: every part with what it cost; users and keys at the month's mean price where a price changed within it,
    which is near enough to rank them by. `only`: the parameter with the parts that are asked for, of many."""
    if not query.group.has_many_parts:
        coarser = {Step.MINUTE: Step.HOUR, Step.HOUR: Step.DAY, Step.DAY: Step.DAY}[query.step]
        rows = replace(query, step=coarser)
        bars = sources.bars_by_part(rows)
        return f"WITH {_costs(rows, bars, bars.part)} SELECT part, coalesce(sum(amount), 0) FROM costs GROUP BY part"
    parts = sources.parts_of(query)
    if only:
        parts = parts.narrowed(f"{parts.part} = ANY(%({only})s)")
    return f"""
        WITH {_prices(query, charged)},
        wide AS MATERIALIZED (
            SELECT organization_id, sku_id, {", ".join(side_by_side(NEAR_PRICE, charged))}
            FROM prices WHERE is_charged GROUP BY 1, 2
        )
        SELECT {parts.part} AS part, {sum_of_amounts("wide", charged)} AS amount
        FROM {parts.rows} AS usage {parts.sku_join}
        LEFT JOIN wide ON wide.organization_id = usage.organization_id AND wide.sku_id = usage.sku_id
        WHERE {parts.conditions} GROUP BY 1 HAVING bool_or(wide.sku_id IS NOT NULL)
    """


def spending(query: UsageQuery, charged: Sequence[LineItem] = ALL) -> str:
    """kind, slot, part, line_item, quantity, amount, unpriced quantity; the kinds are

    - slot: the amount of a bar and leading part; of the whole bar without a part
    - part, whole: the line items of each part of the table, and of all parts
    - unpriced: requests of a model (as the part) that have usage without a price
    - before: the amount of a day of the month before
    - unit, token: how many requests, or tokens, and what they cost, of all that has a price
    - saved: what input from the cache would have cost more as plain input of its day
    """
    wide = sources.is_wide(query)
    bars = sources.bars_of(query) if wide else sources.bars_by_part(query)
    return f"""
        WITH {_costs(query, bars, sources.NO_PARTS if wide else _shown_part(bars))} {_leading(query, charged) if wide else ""}
        SELECT 'slot' AS kind, slot, NULL::bigint AS part, NULL::smallint AS line_item, NULL::numeric AS quantity,
            coalesce(sum(amount), 0) AS amount, NULL::numeric AS unpriced_quantity
        FROM costs GROUP BY slot
        UNION ALL
        SELECT 'slot', slot, part, NULL, NULL, coalesce(sum(amount), 0), NULL
        FROM {"leading_costs" if wide else "costs"} WHERE part = ANY(%(leaders)s) GROUP BY slot, part
        UNION ALL
        SELECT 'whole', NULL, NULL, line_item, {LINE_SUMS} FROM costs GROUP BY line_item
        UNION ALL
        SELECT 'part', NULL, part, line_item, {LINE_SUMS}
        FROM {"part_costs" if wide else "costs"} WHERE part = ANY(%(table)s) GROUP BY part, line_item
        UNION ALL
        {UNPRICED}
        UNION ALL
        SELECT 'before', slot, NULL, NULL, NULL, sum(amount), NULL
        FROM ({_days_before(query)}) AS days_before WHERE amount IS NOT NULL GROUP BY slot
        UNION ALL
        {UNIT_COSTS}
        UNION ALL
        {_saved(query)}
    """


def _saved(query: UsageQuery) -> str:
    day = "cached.slot" if query.step == Step.DAY else "%(start)s::date"
    return f"""
        SELECT 'saved', NULL, NULL, NULL, NULL, sum(cached.quantity * (price.unit_price - cached.unit_price)), NULL
        FROM costs AS cached
        JOIN billing_dailycost AS price ON price.organization_id = cached.organization_id AND price.day = {day}
            AND price.sku_id = cached.sku_id AND price.line_item = {LineItem.INPUT.value}
        WHERE cached.line_item = {LineItem.CACHED_INPUT.value}
    """


def _shown_part(bars: sources.Source) -> str:
    """The parts of the table; the others are one, without a name."""
    return f"CASE WHEN {bars.part} = ANY(%(table)s) THEN {bars.part} END"


def _day(query: UsageQuery) -> str:
    """The day whose prices hold for a row."""
    return "usage.day" if query.step == Step.DAY else "%(start)s::date"


def _sums_of_parts(query: UsageQuery, bars: Iterable[sources.Source]) -> str:
    return " UNION ALL ".join(source.sums_by_sku(source.part, _day(query)) for source in bars)


def _costs(query: UsageQuery, bars: sources.Source, usage_part: str) -> str:
    """Common table expressions `sums` and `costs`: one row per bar, part, SKU and line item; no amount without a price."""
    part = "price.line_item" if query.group == LINE_ITEM else "usage.part"
    return f"""
        sums AS MATERIALIZED ({bars.sums_by_sku(usage_part, _day(query))}),
        costs AS MATERIALIZED (
            SELECT *, quantity * unit_price AS amount
            FROM (
                SELECT usage.organization_id, usage.sku_id, usage.slot, {part} AS part, price.line_item, price.unit_price,
                    {OWN_QUANTITY} AS quantity
                FROM sums usage JOIN billing_dailycost price ON {PRICE_OF_DAY} {ONCE}
            ) AS items
            WHERE quantity <> 0
        )
    """


def _days_before(query: UsageQuery) -> str:
    """The amounts of the same filters on the days of the month before; their sums need no parts."""
    days = sources.other_days(query, "before_start", "before_end")
    return f"""
        SELECT usage.slot, {OWN_QUANTITY} * price.unit_price AS amount
        FROM ({days.sums_by_sku(sources.NO_PARTS, days.slot)}) AS usage JOIN billing_dailycost price ON {PRICE_OF_DAY}
    """


def _prices(query: UsageQuery, charged: Sequence[LineItem]) -> str:
    """`prices`: the unit prices of the month, or of the day that is open.

    A price is steady if it held on every day with such usage; `is_charged` if such usage is in the daily cost at all.
    """
    return f"""
        prices AS MATERIALIZED (
            SELECT usage.organization_id, usage.sku_id, item.line_item, min(price.unit_price) AS unit_price,
                count(price.day) > 0 AS is_charged,
                count(price.day) IN (0, count(*)) AND count(price.unit_price) IN (0, count(*))
                    AND coalesce(min(price.unit_price) = max(price.unit_price), true) AS is_steady,
                sum(price.amount) / nullif(sum(price.quantity), 0) AS mean_price
            FROM metering_organizationdailyusage usage {sources.SKU_JOIN}
            CROSS JOIN LATERAL ({quantities_sql(charged)}) AS item (line_item, quantity)
            LEFT JOIN billing_dailycost price ON {PRICE_OF_DAY} AND price.line_item = item.line_item
            WHERE {sources.IN_DAYS} AND {query.filters("usage", by_user=False, by_key=False)} AND item.quantity <> 0
            GROUP BY 1, 2, 3
        )
    """


def _changed_days(query: UsageQuery) -> str:
    """`changed_days`: the line items of the table's parts whose price changed within the month, day by day."""
    changed = (
        "(SELECT bool_or(NOT is_steady) FROM prices)"  # looked at first: in most months there is nothing to read
        " AND usage.sku_id = ANY(ARRAY(SELECT sku_id FROM prices WHERE NOT is_steady))"
    )
    bars = (source.narrowed(changed) for source in sources.leading_bars(query, "table"))
    return f"""
        changed_days AS MATERIALIZED (
            SELECT usage.part, price.line_item, {OWN_QUANTITY} AS quantity, {OWN_QUANTITY} * price.unit_price AS amount
            FROM ({_sums_of_parts(query, bars)}) AS usage
            JOIN billing_dailycost price ON {PRICE_OF_DAY}
            JOIN prices ON prices.organization_id = usage.organization_id AND prices.sku_id = usage.sku_id
                AND prices.line_item = price.line_item
            WHERE NOT prices.is_steady AND {OWN_QUANTITY} <> 0
        )
    """


def _leading(query: UsageQuery, charged: Sequence[LineItem]) -> str:
    """`leading_costs`: the costs of the leading parts by bar; `part_costs`: what the table of parts is made of.

    The rows are materialized before they meet their prices, of which PostgreSQL expects too few to look them up by key.
    """
    parts = sources.parts_of(query)
    rows = " UNION ALL ".join(bars.rows_by_sku(_day(query)) for bars in sources.leading_bars(query))
    shown = parts.narrowed(f"{parts.part} = ANY(%(table)s)")
    return f"""
        , {_prices(query, charged)}, {_changed_days(query)},
        wide AS MATERIALIZED (
            SELECT organization_id, day, sku_id, {", ".join(side_by_side("unit_price", charged))} FROM billing_dailycost
            WHERE organization_id = ANY(%(organization_ids)s) AND day >= %(start)s AND day < %(end)s GROUP BY 1, 2, 3
        ),
        leading_rows AS MATERIALIZED ({rows}),
        leading_costs AS MATERIALIZED (
            SELECT usage.slot, usage.part, {sum_of_amounts("wide", charged)} AS amount
            FROM leading_rows AS usage
            LEFT JOIN wide ON wide.organization_id = usage.organization_id AND wide.day = usage.day
                AND wide.sku_id = usage.sku_id
            GROUP BY 1, 2
        ),
        part_costs AS MATERIALIZED (
            SELECT part, line_item, quantity, quantity * unit_price AS amount
            FROM (
            SELECT usage.part, price.line_item, price.unit_price, {OWN_QUANTITY} AS quantity
            FROM ({shown.sums_by_sku(shown.part, "NULL")}) AS usage
            JOIN prices price ON price.organization_id = usage.organization_id AND price.sku_id = usage.sku_id
            WHERE price.is_steady AND price.is_charged {ONCE}
            ) AS items
            UNION ALL
            SELECT part, line_item, quantity, amount FROM changed_days
        )
    """
