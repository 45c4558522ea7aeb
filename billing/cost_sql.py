"""The statements behind `billing.queries`: usage rows × the unit prices of the organization's daily cost.

Usage is added up per bar, part and SKU before it meets the prices, or meets them side by side in one row. Those joins are
outer ones, because PostgreSQL expects so few rows of an inner join with a common table expression that it loops. SQL is
built from constants of this code base alone; every value travels as a parameter.
"""

from dataclasses import replace
from typing import Final

from billing.line_items import QUANTITIES, QUANTITIES_SQL
from metering.measures import MEASURES
from metering.queries import PART_COLUMNS, Group, Step, UsageQuery
from metering.sources import SKU_JOIN, Source, slots_of, whole_of

MEASURE_SUMS: Final = ", ".join(f"sum(usage.{measure}) AS {measure}" for measure in MEASURES)
# The quantity that a usage row has of the line item of a price row.
OWN_QUANTITY: Final = (
    "CASE price.line_item "
    + " ".join(f"WHEN {line_item.value} THEN {expression}" for line_item, expression in QUANTITIES.items())
    + " END"
)
PRICE_OF_DAY: Final = (
    "price.organization_id = usage.organization_id AND price.day = usage.day AND price.sku_id = usage.sku_id"
)
NO_PARTS: Final = "NULL::bigint"


def _side_by_side(price: str) -> str:
    """The line items of price rows as columns `price_1`, `price_2` …"""
    return ", ".join(
        f"max({price}) FILTER (WHERE line_item = {line_item.value}) AS price_{line_item.value}"
        for line_item in QUANTITIES
    )


def _amount(number: str) -> str:
    """What all line items of a usage row cost at the prices of `wide`, in one pass; `number` is the type to reckon in."""
    return " + ".join(
        f"CASE WHEN wide.price_{line_item.value} IS NULL THEN 0"
        f" ELSE ({expression})::{number} * wide.price_{line_item.value} END"
        for line_item, expression in QUANTITIES.items()
    )


def ranking(query: UsageQuery) -> str:
    """part, amount: every part with what it cost, near enough to rank them by. Where a price changed within the month and
    there may be too many parts to read their days, it is the month's mean."""
    if not _is_wide(query):
        coarser = {Step.MINUTE: Step.HOUR, Step.HOUR: Step.DAY, Step.DAY: Step.DAY}[query.step]
        costs = _costs(replace(query, step=coarser), _part(query))
        return f"WITH {costs} SELECT part, coalesce(sum(amount), 0)::float8 FROM costs GROUP BY part"
    month = whole_of(query)
    sku_join = SKU_JOIN if "sku." in month.conditions else ""
    return f"""
        WITH {_month_prices(query)},
        wide AS MATERIALIZED (
            SELECT organization_id, sku_id, {_side_by_side("mean_price")} FROM prices WHERE is_charged GROUP BY 1, 2
        )
        SELECT {PART_COLUMNS[query.group]} AS part, sum({_amount("float8")}) AS amount
        FROM {month.rows} AS usage {sku_join}
        LEFT JOIN wide ON wide.organization_id = usage.organization_id AND wide.sku_id = usage.sku_id
        WHERE {month.conditions} GROUP BY 1 HAVING bool_or(wide.sku_id IS NOT NULL)
    """


def spending(query: UsageQuery) -> str:
    """kind, slot, part, line_item, quantity, amount, unpriced quantity; the kinds are

    - slot: the amount of a bar and leading part; of the whole bar without a part
    - part, whole: the line items of each part of the table, and of all parts
    - unpriced: requests of a model (as the part) that have usage without a price
    - before: the amount of a day of the month before
    """
    return f"""
        WITH {_costs(replace(query, group=Group.MODEL), NO_PARTS) if _is_wide(query) else _costs(query, _shown_part(query))}
        {_leading_days(query) if _is_wide(query) else ""}
        SELECT 'slot' AS kind, slot, NULL::bigint AS part, NULL::smallint AS line_item, NULL::numeric AS quantity,
            coalesce(sum(amount), 0) AS amount, NULL::numeric AS unpriced_quantity
        FROM costs GROUP BY slot
        UNION ALL
        SELECT 'slot', slot, part, NULL, NULL, coalesce(sum(amount), 0), NULL
        FROM {"leading_days" if _is_wide(query) else "costs"} WHERE part = ANY(%(leaders)s) GROUP BY slot, part
        UNION ALL
        SELECT 'whole', NULL, NULL, line_item, {_line_sums()} FROM costs GROUP BY line_item
        UNION ALL
        {_month_parts() if _is_wide(query) else _parts()}
        UNION ALL
        {_unpriced()}
        UNION ALL
        SELECT 'before', slot, NULL, NULL, NULL, sum(amount), NULL
        FROM ({_days_before(query)}) AS days_before WHERE amount IS NOT NULL GROUP BY slot
    """


def _is_wide(query: UsageQuery) -> bool:
    """Whether there may be too many users and keys to read the days of them all."""
    is_wide_group = query.group in (Group.USER, Group.API_KEY)
    return is_wide_group and not query.has_key_filter and query.step == Step.DAY and query.is_month


def _line_sums() -> str:
    return "sum(quantity), coalesce(sum(amount), 0), coalesce(sum(quantity) FILTER (WHERE amount IS NULL), 0)"


def _part(query: UsageQuery) -> str:
    return PART_COLUMNS.get(query.group, NO_PARTS)


def _shown_part(query: UsageQuery) -> str:
    """The parts of the table; the others are one, without a name."""
    return f"CASE WHEN {_part(query)} = ANY(%(table)s) THEN {_part(query)} END"


def _sums(source: Source, part: str, day: str, *more: str) -> str:
    """Usage rows added up per bar, part and SKU."""
    conditions = " AND ".join((source.conditions, *more))
    return f"""
        SELECT usage.organization_id, usage.sku_id, {source.slot} AS slot, {day} AS day, {part} AS part, {MEASURE_SUMS}
        FROM {source.rows} AS usage JOIN metering_sku sku ON sku.id = usage.sku_id
        WHERE {conditions} GROUP BY 1, 2, 3, 4, 5
    """


def _costs(query: UsageQuery, usage_part: str) -> str:
    """Common table expressions `sums` and `costs`: one row per bar, part, SKU and line item; no amount without a price."""
    source = slots_of(query, by_key=query.needs_keys)
    day = "usage.day" if query.step == Step.DAY else "%(start)s::date"
    part = "price.line_item" if query.group == Group.LINE_ITEM else "usage.part"
    return f"""
        sums AS MATERIALIZED ({_sums(source, usage_part, day)}),
        costs AS MATERIALIZED (
            SELECT usage.organization_id, usage.sku_id, usage.slot, {part} AS part, price.line_item,
                {OWN_QUANTITY} AS quantity, {OWN_QUANTITY} * price.unit_price AS amount
            FROM sums usage JOIN billing_dailycost price ON {PRICE_OF_DAY}
            WHERE {OWN_QUANTITY} <> 0
        )
    """


def _parts() -> str:
    return f"""
        SELECT 'part', NULL, part, line_item, {_line_sums()} FROM costs WHERE part = ANY(%(table)s) GROUP BY part, line_item
    """


def _unpriced() -> str:
    """The requests of the bars and SKUs that have a quantity without a price."""
    return """
        SELECT 'unpriced', NULL, sku.model_id, NULL, sum(usage.num_model_requests), NULL, NULL
        FROM sums usage JOIN metering_sku sku ON sku.id = usage.sku_id
        WHERE (usage.organization_id, usage.sku_id, usage.slot)
            IN (SELECT organization_id, sku_id, slot FROM costs WHERE amount IS NULL)
        GROUP BY sku.model_id
    """


def _days_before(query: UsageQuery) -> str:
    """The amounts of the same filters on the days of the month before; their sums need no parts."""
    days = replace(query, group=Group.MODEL, step=Step.DAY, hour=None)
    sums = _sums(slots_of(days, by_key=days.needs_keys), NO_PARTS, "usage.day")
    return f"""
        SELECT usage.slot, {OWN_QUANTITY} * price.unit_price AS amount
        FROM ({sums}) AS usage JOIN billing_dailycost price ON {PRICE_OF_DAY}
    """.replace("%(start)s", "%(before_start)s").replace("%(end)s", "%(before_end)s")


def _month_prices(query: UsageQuery) -> str:
    """`prices`: the unit prices of the month.

    A price is steady if it held on every day with such usage; `is_charged` if such usage is in the daily cost at all.
    """
    return f"""
        prices AS MATERIALIZED (
            SELECT usage.organization_id, usage.sku_id, item.line_item, min(price.unit_price) AS unit_price,
                count(price.day) > 0 AS is_charged,
                count(price.day) IN (0, count(*)) AND count(price.unit_price) IN (0, count(*))
                    AND coalesce(min(price.unit_price) = max(price.unit_price), true) AS is_steady,
                (sum(price.amount) / nullif(sum(price.quantity), 0))::float8 AS mean_price
            FROM metering_organizationdailyusage usage
            JOIN metering_sku sku ON sku.id = usage.sku_id
            CROSS JOIN LATERAL ({QUANTITIES_SQL}) AS item (line_item, quantity)
            LEFT JOIN billing_dailycost price ON {PRICE_OF_DAY} AND price.line_item = item.line_item
            WHERE {query.conditions("usage")} AND item.quantity <> 0
            GROUP BY 1, 2, 3
        )
    """


def _changed_days(query: UsageQuery, *more: str) -> str:
    """`changed_days`: the line items whose price changed within the month, day by day."""
    source = slots_of(query, by_key=True)
    changed = (
        "(SELECT bool_or(NOT is_steady) FROM prices)"  # looked at first: in most months there is nothing to read
        " AND usage.sku_id = ANY(ARRAY(SELECT sku_id FROM prices WHERE NOT is_steady))"
    )
    return f"""
        changed_days AS MATERIALIZED (
            SELECT usage.part, price.line_item, {OWN_QUANTITY} AS quantity, {OWN_QUANTITY} * price.unit_price AS amount
            FROM ({_sums(source, _part(query), "usage.day", changed, *more)}) AS usage
            JOIN billing_dailycost price ON {PRICE_OF_DAY}
            JOIN prices ON prices.organization_id = usage.organization_id AND prices.sku_id = usage.sku_id
                AND prices.line_item = price.line_item
            WHERE NOT prices.is_steady AND {OWN_QUANTITY} <> 0
        )
    """


def _leading_days(query: UsageQuery) -> str:
    """`leading_days`: the costs of the leading parts by day; and what the table of parts is made of."""
    part, days = _part(query), slots_of(query, by_key=True)
    is_shown = f"{part} = ANY(%(table)s)"
    return f"""
        , {_month_prices(query)}, {_changed_days(query, is_shown)},
        wide AS MATERIALIZED (
            SELECT organization_id, day, sku_id, {_side_by_side("unit_price")} FROM billing_dailycost
            WHERE organization_id = ANY(%(organization_ids)s) AND day >= %(start)s AND day < %(end)s GROUP BY 1, 2, 3
        ),
        leading_days AS MATERIALIZED (
            SELECT {days.slot} AS slot, {part} AS part, sum({_amount("numeric")}) AS amount
            FROM {days.rows} AS usage JOIN metering_sku sku ON sku.id = usage.sku_id
            LEFT JOIN wide ON wide.organization_id = usage.organization_id AND wide.day = usage.day
                AND wide.sku_id = usage.sku_id
            WHERE {days.conditions} AND {part} = ANY(%(leaders)s) GROUP BY 1, 2
        ),
        month_parts AS MATERIALIZED (
            SELECT usage.part, price.line_item, {OWN_QUANTITY} AS quantity, {OWN_QUANTITY} * price.unit_price AS amount
            FROM ({_sums(whole_of(query), part, "NULL", is_shown)}) AS usage
            JOIN prices price ON price.organization_id = usage.organization_id AND price.sku_id = usage.sku_id
            WHERE price.is_steady AND price.is_charged AND {OWN_QUANTITY} <> 0
            UNION ALL
            SELECT part, line_item, quantity, amount FROM changed_days
        )
    """


def _month_parts() -> str:
    return f"SELECT 'part', NULL, part, line_item, {_line_sums()} FROM month_parts GROUP BY part, line_item"
