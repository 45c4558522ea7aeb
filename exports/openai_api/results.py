"""The rows of an answer: sums per bucket and group, as SQL finds them, with the ids that people know in place of numbers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from accounts.models import Organization
from accounts.periods import midnight
from billing.line_items import UNITS
from billing.models import LineItem
from billing.priced_usage import quantity_of
from exports.openai_api.endpoints import KNOWN_GROUPS, LINE_ITEM, NOT_KNOWN
from exports.openai_api.parameters import Asked
from exports.openai_api.questions import groupings_of
from metering.usage.groupings import MODEL, UNTRACKED, Grouping
from metering.usage.names import Names, names_of
from metering.usage.queries import UsageQuery, fetch
from metering.usage.sources import bars_by

QUANTITY: Final = quantity_of("price")
QUANTITY_UNITS: Final = {"seconds": "duration_seconds", "byte-days": "byte_days"}
"""What the vendor calls units by other words than we do."""
Result = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """One result, in the bucket that begins at `start`."""

    start: datetime
    result: Result


def usage_results(query: UsageQuery, asked: Asked, organizations: Sequence[Organization], *, most: int) -> list[Found]:
    """The first results of all buckets, `most` at most, in the order of the buckets. One that is nothing is left out."""
    groups = groupings_of(asked)
    bars, parts = bars_by(query, groups)
    sums = [f"sum({expression})" for expression in asked.endpoint.fields.values()]
    expressions = [bars.slot, *parts]
    numbers = ", ".join(str(place) for place, _ in enumerate(expressions, start=1))
    rows = fetch(
        f"""
        SELECT {", ".join([*expressions, *sums])} {bars.from_where}
        GROUP BY {numbers} HAVING {" OR ".join(f"{one} <> 0" for one in sums)} ORDER BY {numbers} LIMIT %(most)s
        """,
        {**query.parameters(), "most": most},
    )

    def fields(row: Sequence[Any]) -> Result:
        return {name: _shortest(number) for name, number in zip(asked.endpoint.fields, row, strict=True)}

    return _found(rows, asked, groups, organizations, fields)


def cost_results(query: UsageQuery, asked: Asked, organizations: Sequence[Organization], *, most: int) -> list[Found]:
    """As `usage_results`, what it costs: each quantity of a row at the price of its day."""
    by_item = LINE_ITEM in asked.group_by
    groups = (*groupings_of(asked), *([MODEL] if by_item else ()))
    bars, parts = bars_by(query, groups)
    columns = [bars.slot, *parts, *(["price.line_item"] if by_item else ())]
    names = [f"part_{place}" for place, _ in enumerate(columns)]
    selected = ", ".join(f"{column} AS {name}" for column, name in zip(columns, names, strict=True))
    rows = fetch(
        f"""
        SELECT {", ".join(names)}, coalesce(sum(quantity * unit_price), 0), sum(quantity), bool_or(unit_price IS NULL)
        FROM (
            SELECT {selected}, price.unit_price, {QUANTITY} AS quantity
            FROM {bars.rows} AS usage JOIN metering_sku sku ON sku.id = usage.sku_id
            JOIN billing_dailycost price
                ON price.organization_id = usage.organization_id AND price.day = usage.day AND price.sku_id = usage.sku_id
            WHERE {bars.conditions}{_of_line_items(asked)} OFFSET 0
        ) AS items
        WHERE quantity <> 0 GROUP BY {", ".join(names)} ORDER BY {", ".join(names)} LIMIT %(most)s
        """,
        {**query.parameters(), **_line_items(asked), "most": most},
    )
    return _found(rows, asked, groups, organizations, _money)


def _money(row: Sequence[Any]) -> Result:
    *line_item, amount, quantity, is_unpriced = row
    known = LineItem(line_item[0]) if line_item else None
    unit = None if known is None else UNITS[known]
    return {
        LINE_ITEM: None if known is None else known.label,
        "amount": {"value": _shortest(amount), "currency": "usd", "x_value": f"{_shortest(amount):f}"},
        "quantity": None if known is None else _shortest(quantity),
        "quantity_unit": None if unit is None else QUANTITY_UNITS.get(unit, unit),
        "x_unpriced": bool(is_unpriced),
    }


def _shortest(number: Decimal) -> Decimal:
    """Without zeros behind the point, and without an exponent. Sums may be larger than any integer of the encoder."""
    text = f"{number:f}"
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def _of_line_items(asked: Asked) -> str:
    if "line_items" not in asked.filters:
        return ""
    return """ AND (sku.model_id, price.line_item) IN (
        SELECT model.id, asked.item FROM unnest(%(named_models)s::text[], %(named_items)s::int[]) AS asked (name, item)
        JOIN metering_model AS model ON model.name = asked.name
    )"""


def _line_items(asked: Asked) -> dict[str, list[str] | list[int]]:
    """Of names like 'gpt-4o, cached input' the models and items; what is no such name finds nothing."""
    items = {item.label: item.value for item in LineItem}
    named = [name.rpartition(", ")[::2] for name in asked.filters.get("line_items", ())]
    known = [(model, items[label]) for model, label in named if label in items]
    return {"named_models": [model for model, _ in known], "named_items": [item for _, item in known]}


def _found(
    rows: Iterable[tuple[Any, ...]],
    asked: Asked,
    groups: Sequence[Grouping],
    organizations: Sequence[Organization],
    fields: Callable[[Sequence[Any]], Result],
) -> list[Found]:
    rows = list(rows)
    wanted = {group: {row[place] for row in rows} for place, group in enumerate(groups, start=1)}
    names = names_of(wanted, organizations)
    found = []
    for slot, *columns in rows:
        parts = dict(zip(groups, columns, strict=False))
        result = fields(columns[len(groups) :]) | _group_fields(asked, parts, names)
        if result.get(LINE_ITEM):
            result[LINE_ITEM] = f"{names.of(MODEL, parts[MODEL]).name}, {result[LINE_ITEM]}"
        found.append(Found(_start(slot), {"object": asked.endpoint.object, **result}))
    return found


def _group_fields(asked: Asked, parts: dict[Grouping, Any], names: Names) -> Result:
    """Every field that results of the address can be told apart by; null where this answer is not."""
    told = dict.fromkeys((*asked.endpoint.groups, *asked.group_by))
    told.pop(LINE_ITEM, None)
    known: Result = dict.fromkeys(told)
    for name in asked.group_by:
        if name in NOT_KNOWN:
            known[name] = NOT_KNOWN[name]
        elif name in KNOWN_GROUPS:
            known[name] = _name(KNOWN_GROUPS[name], parts[KNOWN_GROUPS[name]], names)
    return known


def _name(group: Grouping, part: Any, names: Names) -> object:
    if isinstance(part, bool):
        return part
    return None if group.has_untracked and part == UNTRACKED else names.of(group, part).address_value


def _start(slot: date | datetime) -> datetime:
    return slot if isinstance(slot, datetime) else midnight(slot)
