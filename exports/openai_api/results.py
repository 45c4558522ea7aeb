"""The rows of an answer: sums per bucket and group, with the ids that people know in place of numbers."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any, Final

import msgspec

from accounts.models import Organization
from billing.line_items import UNITS
from billing.models import LineItem
from exports.admin_api.buckets import Found
from exports.admin_api.sums import Row, cost_sums, id_of, names_in, shortest, start_of, usage_texts
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
    rows = usage_texts(query, groups, asked.endpoint.fields, most=most, whole=whole)
    return _found(rows, asked, groups, organizations, lambda row, _: row[0])


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


def decoded(found: Found) -> Found:
    """With the result as what its text says; numbers with a point are Decimals."""
    return replace(found, result=json.loads(bytes(found.result), parse_float=Decimal))


def _money(row: Sequence[Any], model: str) -> str:
    *line_item, amount, quantity, is_unpriced = row
    text, unpriced = f"{shortest(amount):f}", "true" if is_unpriced else "false"
    item = number = unit = "null"
    if line_item:
        known = LineItem(line_item[0])
        item, number = _text(f"{model}, {known.label}"), f"{shortest(quantity):f}"
        unit = _text(QUANTITY_UNITS.get(UNITS[known], UNITS[known]))
    money = f'{{"value":{text},"currency":"usd","x_value":"{text}"}}'
    return f'"{LINE_ITEM}":{item},"amount":{money},"quantity":{number},"quantity_unit":{unit},"x_unpriced":{unpriced}'


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
    fields: Callable[[Sequence[Any], str], str],
) -> list[Found]:
    """Each result as JSON. What the rows of one part have in common is written once."""
    names = names_in(rows, groups, organizations)
    told = {name: KNOWN_GROUPS[name] for name in asked.group_by if name in KNOWN_GROUPS and name != "batch"}
    begin, number = f'{{"object":{_text(asked.endpoint.object)},', len(groups)

    @cache
    def part(*ids: Any) -> tuple[str, str, Mapping[str, str]]:
        parts = dict(zip(groups, ids, strict=True))
        end = "," + _text(_group_fields(asked, parts, names)).removeprefix("{")
        model = names.of(MODEL, parts[MODEL]).name if MODEL in parts else ""
        return end, model, {name: names.of(group, parts[group]).name for name, group in told.items()}

    start, found = cache(start_of), []
    for slot, *columns in rows:
        end, model, called = part(*columns[:number])
        text = f"{begin}{fields(columns[number:], model)}{end}"
        found.append(Found(start(slot), msgspec.Raw(text.encode()), called))
    return found


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


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
