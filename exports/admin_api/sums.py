"""Sums of usage and of what it costs, per bucket of time and group, as SQL finds them; and the ids that people know."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from accounts.models import Organization
from accounts.periods import midnight
from billing.line_items import QUANTITIES
from billing.models import LineItem
from billing.priced_usage import quantity_of, side_by_side
from metering.usage.groupings import UNTRACKED, Grouping
from metering.usage.names import Names, names_of
from metering.usage.queries import UsageQuery, fetch
from metering.usage.sources import Source, bars_by

QUANTITY: Final = quantity_of("price")
AMOUNT: Final = "coalesce(sum(quantity * unit_price), 0)"
PRICES: Final = "organization_id = ANY(%(organization_ids)s) AND day >= %(start)s AND day < %(end)s"
"""Of the days that the query touches."""
WHOLE: Final = Decimal(1)
WHOLE_SLOT: Final = "%(start_at)s"
NO_PARAMETERS: Final[Mapping[str, object]] = {}
Row = tuple[Any, ...]


def usage_sums(
    query: UsageQuery, groups: Sequence[Grouping], sums: Sequence[str], *, most: int, whole: bool = False
) -> list[Row]:
    """(slot, the part of each group, each sum): the first rows, `most` at most, in the order of the slots. Of `sums`, which are
    expressions of usage rows, one at least is not zero. `whole`: all of the query's time is one slot, and the rows with the
    largest first sum come first."""
    sums = list(map(_sum, sums))
    return _summed(query, groups, sums, ", ".join(sums), most=most, whole=whole)


def usage_texts(
    query: UsageQuery, groups: Sequence[Grouping], fields: Mapping[str, str], *, most: int, whole: bool = False
) -> list[Row]:
    """As `usage_sums`, in place of the sums one text: the fields of a JSON object, which are whole numbers."""
    sums = {name: _sum(expression) for name, expression in fields.items()}
    text = ", ".join(f"""'{"," if place else ""}"{name}":', {one}""" for place, (name, one) in enumerate(sums.items()))
    return _summed(query, groups, list(sums.values()), f"concat({text})", most=most, whole=whole)


def _summed(  # noqa: PLR0913 - one keyword for each thing that can be asked
    query: UsageQuery, groups: Sequence[Grouping], sums: Sequence[str], selected: str, *, most: int, whole: bool
) -> list[Row]:
    bars, parts = bars_by(query, groups)
    expressions = [WHOLE_SLOT if whole else bars.slot, *parts]
    largest = f"{sums[0]} DESC, " if whole else ""
    numbers = ", ".join(str(place) for place, _ in enumerate(expressions, start=1))
    return fetch(
        f"""
        SELECT {", ".join(expressions)}, {selected} {bars.from_where}
        GROUP BY {numbers} HAVING {" OR ".join(f"{one} <> 0" for one in sums)}
        ORDER BY {largest}{numbers} LIMIT %(most)s
        """,
        {**query.parameters(), "most": most},
    )


def _sum(expression: str) -> str:
    """The sum of an expression of usage rows: of differences that of their sums, each of which is then made once."""
    return f"sum({expression})" if "CASE" in expression else re.sub(r"usage\.\w+", r"sum(\g<0>)", expression)


def cost_sums(  # noqa: PLR0913 - one keyword for each thing that can be asked
    query: UsageQuery,
    groups: Sequence[Grouping],
    *,
    most: int,
    by_item: bool,
    whole: bool = False,
    condition: str = "true",
    parameters: Mapping[str, object] = NO_PARAMETERS,
) -> list[Row]:
    """(slot, the part of each group, the line item if `by_item`, amount, quantity, whether any of it has no price): as
    `usage_sums`, the largest amounts first, each quantity of a row at the price of its day. `condition` is about `usage`,
    `sku` and `price`."""
    bars, parts = bars_by(query, groups)
    columns = [WHOLE_SLOT if whole else bars.slot, *parts, *(["price.line_item"] if by_item else ())]
    names = [f"part_{place}" for place, _ in enumerate(columns)]
    selected = ", ".join(f"{column} AS {name}" for column, name in zip(columns, names, strict=True))
    items = () if by_item or condition != "true" else _charged(query)
    found = _side_by_side(bars, selected, items) if items else _item_by_item(bars, selected, condition)
    largest = "amount DESC, " if whole else ""
    return fetch(
        f"""
        SELECT {", ".join(names)}, {found.amount} AS amount, {found.quantity}, bool_or({found.is_unpriced})
        FROM ({found.rows}) AS items
        GROUP BY {", ".join(names)} HAVING bool_or({found.is_some}) ORDER BY {largest}{", ".join(names)} LIMIT %(most)s
        """,
        {**query.parameters(), **parameters, "most": most},
    )


@dataclass(frozen=True)
class _Costs:
    """Rows of quantities with their prices, and what is asked of them together."""

    rows: str
    amount: str
    quantity: str
    is_unpriced: str
    is_some: str


def _item_by_item(bars: Source, selected: str, condition: str) -> _Costs:
    rows = f"""
        SELECT {selected}, price.unit_price, {QUANTITY} AS quantity
        FROM {bars.rows} AS usage JOIN metering_sku sku ON sku.id = usage.sku_id
        JOIN billing_dailycost price
            ON price.organization_id = usage.organization_id AND price.day = {bars.day} AND price.sku_id = usage.sku_id
        WHERE {bars.conditions} AND {condition} OFFSET 0
    """
    is_some = "quantity <> 0"
    return _Costs(rows, AMOUNT, "sum(quantity)", f"{is_some} AND unit_price IS NULL", is_some)


def _side_by_side(bars: Source, selected: str, items: Sequence[tuple[LineItem, bool]]) -> _Costs:
    """The same in a third of the rows, where line items are not told apart."""
    of = [item.value for item, _ in items]
    quantities = ", ".join(f"{QUANTITIES[item]} AS quantity_{item.value}" for item, _ in items)
    charged = ", ".join(f"bool_or(line_item = {item}) AS charged_{item}" for item in of)
    rows = f"""
        SELECT {selected}, {quantities}, {", ".join(f"price_{item}, charged_{item}" for item in of)}
        FROM {bars.rows} AS usage JOIN metering_sku sku ON sku.id = usage.sku_id
        JOIN (
            SELECT organization_id, day, sku_id, {", ".join(side_by_side("unit_price", [item for item, _ in items]))}, {charged}
            FROM billing_dailycost WHERE {PRICES} GROUP BY 1, 2, 3
        ) AS price
            ON price.organization_id = usage.organization_id AND price.day = {bars.day} AND price.sku_id = usage.sku_id
        WHERE {bars.conditions} OFFSET 0
    """
    amount = " + ".join(f"coalesce(sum(quantity_{item} * price_{item}), 0)" for item in of)
    some = {item: f"(charged_{item} AND quantity_{item} <> 0)" for item in of}
    unpriced = [f"(price_{item.value} IS NULL AND {some[item.value]})" for item, is_free in items if is_free]
    return _Costs(rows, amount, "0", " OR ".join(unpriced) or "false", " OR ".join(some.values()))


def _charged(query: UsageQuery) -> tuple[tuple[LineItem, bool], ...]:
    """The line items of the query's days, and whether something of each had no price."""
    sql = f"SELECT line_item, bool_or(unit_price IS NULL) FROM billing_dailycost WHERE {PRICES} GROUP BY 1 ORDER BY 1"
    return tuple((LineItem(item), is_free) for item, is_free in fetch(sql, query.parameters()))


def start_of(slot: date | datetime) -> datetime:
    return slot if isinstance(slot, datetime) else midnight(slot)


def shortest(number: Decimal) -> Decimal:
    """Without zeros behind the point, and without an exponent. Sums may be larger than any integer of the encoder."""
    if number.same_quantum(WHOLE):
        return number  # by far the most
    text = f"{number:f}"
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def names_in(rows: Sequence[Row], groups: Sequence[Grouping], organizations: Sequence[Organization]) -> Names:
    """The names of the parts of rows, which stand behind their slots."""
    wanted = {group: {row[place] for row in rows} for place, group in enumerate(groups, start=1)}
    return names_of(wanted, organizations)


def id_of(group: Grouping, part: int, names: Names) -> str | None:
    """The id of a part as people know it; none of what no key tells."""
    return None if group.has_untracked and part == UNTRACKED else names.of(group, part).address_value
