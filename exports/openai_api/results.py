"""The rows of an answer: sums per bucket and group, with the ids that people know in place of numbers."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from accounts.models import Organization
from billing.line_items import UNITS
from billing.models import LineItem
from exports.admin_api.buckets import Found
from exports.admin_api.sums import Row, cost_sums, id_of, names_in, shortest, start_of, usage_sums
from exports.openai_api.endpoints import KNOWN_GROUPS, LINE_ITEM, NOT_KNOWN
from exports.openai_api.parameters import Asked
from exports.openai_api.questions import groupings_of
from metering.usage.groupings import MODEL, Grouping
from metering.usage.names import Names
from metering.usage.queries import UsageQuery

QUANTITY_UNITS: Final = {"seconds": "duration_seconds", "byte-days": "byte_days"}
"""What the vendor calls units by other words than we do."""
Result = dict[str, Any]
IN_LINE_ITEMS: Final = """(sku.model_id, price.line_item) IN (
    SELECT model.id, asked.item FROM unnest(%(named_models)s::text[], %(named_items)s::int[]) AS asked (name, item)
    JOIN metering_model AS model ON model.name = asked.name
)"""


def usage_results(
    query: UsageQuery, asked: Asked, organizations: Sequence[Organization], *, most: int, whole: bool = False
) -> list[Found]:
    """The first results of all buckets, `most` at most, in the order of the buckets. One that is nothing is left out.

    `whole`: all of the query's time is one bucket, and the largest results come first.
    """
    groups = groupings_of(asked)
    rows = usage_sums(query, groups, tuple(asked.endpoint.fields.values()), most=most, whole=whole)

    def fields(row: Sequence[Any]) -> Result:
        return {name: shortest(number) for name, number in zip(asked.endpoint.fields, row, strict=True)}

    return _found(rows, asked, groups, organizations, fields)


def cost_results(
    query: UsageQuery, asked: Asked, organizations: Sequence[Organization], *, most: int, whole: bool = False
) -> list[Found]:
    """As `usage_results`, what it costs: each quantity of a row at the price of its day."""
    by_item, is_of_items = LINE_ITEM in asked.group_by, "line_items" in asked.filters
    groups = (*groupings_of(asked), *([MODEL] if by_item else ()))
    rows = cost_sums(
        query,
        groups,
        most=most,
        by_item=by_item,
        whole=whole,
        condition=IN_LINE_ITEMS if is_of_items else "true",
        parameters=_line_items(asked) if is_of_items else {},
    )
    return _found(rows, asked, groups, organizations, _money)


def _money(row: Sequence[Any]) -> Result:
    *line_item, amount, quantity, is_unpriced = row
    known = LineItem(line_item[0]) if line_item else None
    unit = None if known is None else UNITS[known]
    return {
        LINE_ITEM: None if known is None else known.label,
        "amount": {"value": shortest(amount), "currency": "usd", "x_value": f"{shortest(amount):f}"},
        "quantity": None if known is None else shortest(quantity),
        "quantity_unit": None if unit is None else QUANTITY_UNITS.get(unit, unit),
        "x_unpriced": bool(is_unpriced),
    }


def _line_items(asked: Asked) -> dict[str, list[str] | list[int]]:
    """Of names like 'gpt-4o, cached input' the models and items; what is no such name finds nothing."""
    items = {item.label: item.value for item in LineItem}
    named = [name.rpartition(", ")[::2] for name in asked.filters["line_items"]]
    known = [(model, items[label]) for model, label in named if label in items]
    return {"named_models": [model for model, _ in known], "named_items": [item for _, item in known]}


def _found(
    rows: Sequence[Row],
    asked: Asked,
    groups: Sequence[Grouping],
    organizations: Sequence[Organization],
    fields: Callable[[Sequence[Any]], Result],
) -> list[Found]:
    names = names_in(rows, groups, organizations)
    told = {name: KNOWN_GROUPS[name] for name in asked.group_by if name in KNOWN_GROUPS and name != "batch"}
    found = []
    for slot, *columns in rows:
        parts = dict(zip(groups, columns, strict=False))
        result = fields(columns[len(groups) :]) | _group_fields(asked, parts, names)
        if result.get(LINE_ITEM):
            result[LINE_ITEM] = f"{names.of(MODEL, parts[MODEL]).name}, {result[LINE_ITEM]}"
        called = {name: names.of(group, parts[group]).name for name, group in told.items()}
        found.append(Found(start_of(slot), {"object": asked.endpoint.object, **result}, called))
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
            part = parts[KNOWN_GROUPS[name]]
            known[name] = part if isinstance(part, bool) else id_of(KNOWN_GROUPS[name], part, names)
    return known
