"""The older reports of usage and costs: `GET /v1/organizations/usage_report/messages` and `/v1/organizations/cost_report`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from apikeys.adminkeys.authentication import AdminCaller
from billing.models import LineItem
from exports.admin_api import cursors
from exports.admin_api.buckets import Found, buckets_of
from exports.admin_api.sums import cost_sums, shortest, start_of, usage_sums
from exports.admin_api.times import WIDTHS, ceiling, moment_of, require_kept, require_past, seconds_of
from exports.anthropic_api import costs, usage
from exports.anthropic_api.parameters import groupings_of
from exports.anthropic_api.questions import query_of
from exports.anthropic_api.report_requests import DESCRIPTION, OURS, Asked
from exports.anthropic_api.shown import shown
from metering.measures import UsageType
from metering.usage.groupings import USAGE_TYPE
from metering.usage.queries import UsageQuery

DESCRIBED: Final = ("context_window", "inference_geo", "model", "service_tier")
"""What a description says beside the kind of cost: fields of results, null where these have no description."""
OF_MESSAGES: Final = (UsageType.COMPLETIONS.value, UsageType.WEB_SEARCH_CALLS.value)
Read = Callable[..., list[Found]]


def page_of(caller: AdminCaller, asked: Asked, read: Read) -> dict[str, Any]:
    """The page that the request asks for, of the results that `read` finds. Raises InvalidRequestError."""
    start, end = _bounds(caller, asked)
    width = WIDTHS[asked.width]

    def find(start: datetime, end: datetime, most: int) -> list[Found]:
        by_project = "workspace_id" in asked.group_by
        query = query_of(caller, asked.filters, (start, end), width=asked.width, by_project=by_project)
        return read(query, asked, caller, most=most)

    page = buckets_of(find, start, min(start + asked.limit * width, end), width)
    has_more = page.end < end
    position = [seconds_of(page.end), seconds_of(end)]
    return {
        "data": [
            {"starting_at": _text(start), "ending_at": _text(start + width), "results": results}
            for start, results in page.buckets
        ],
        "has_more": has_more,
        "next_page": cursors.make(position, question=asked.identity, key_id=_key(caller)) if has_more else None,
    }


def message_results(query: UsageQuery, asked: Asked, caller: AdminCaller, *, most: int) -> list[Found]:
    """The tokens of completions, and web searches: the first results of all buckets, `most` at most."""
    query = replace(query, usage_types=OF_MESSAGES)
    groups = groupings_of(asked.group_by)
    rows = usage_sums(query, groups, tuple(usage.TOKENS.values()), most=most)
    names = shown(rows, asked.group_by, caller)
    told = _told(asked, asked.report.groups)
    found = []
    for slot, *columns in rows:
        tokens = usage.tokens_of([shortest(number) for number in columns[len(groups) :]])
        found.append(Found(start_of(slot), tokens | names.fields(told, columns[: len(groups)])))
    return found


def cost_results(query: UsageQuery, asked: Asked, caller: AdminCaller, *, most: int) -> list[Found]:
    """What all usage costs: as `message_results`. A description tells models, line items and what prices depend on apart."""
    is_described = DESCRIPTION in asked.group_by
    group_by = (*(name for name in asked.group_by if name != DESCRIPTION), *(DESCRIBED if is_described else ()))
    groups = groupings_of(group_by)
    rows = cost_sums(query, (*groups, *([USAGE_TYPE] if is_described else ())), most=most, by_item=is_described)
    names = shown([row[: len(groups) + 1] for row in rows], group_by, caller)
    told = _told(asked, ("workspace_id", *DESCRIBED))
    found = []
    for slot, *columns in rows:
        fields = names.fields(told, columns[: len(groups)])
        *kind, amount, _, is_unpriced = columns[len(groups) :]
        money = {"currency": "USD", "amount": costs.cents(amount), "x_unpriced": bool(is_unpriced)}
        found.append(Found(start_of(slot), money | fields | _described(kind, fields)))
    return found


def _described(kind: Sequence[int], fields: dict[str, Any]) -> dict[str, Any]:
    """The description, and what it is of: its usage type and line item, or nothing."""
    if not kind:
        return {DESCRIPTION: None, "cost_type": None, "token_type": None}
    usage_type, line_item = kind
    item = LineItem(line_item)
    return {DESCRIPTION: f"{fields['model']}, {item.label}", **costs.kind_fields(costs.kind_of(item, usage_type))}


def _told(asked: Asked, fields: Sequence[str]) -> tuple[str, ...]:
    """The fields of all results; ours where it was asked for."""
    return (*fields, *([OURS] if OURS in asked.group_by else ()))


def _bounds(caller: AdminCaller, asked: Asked) -> tuple[datetime, datetime]:
    """Where this page begins and the last one ends: what was up to now at the first page ends there on all."""
    if asked.page is not None:
        start, end = map(moment_of, cursors.read(asked.page, question=asked.identity, key_id=_key(caller)))
    else:
        start, end = asked.start, asked.end or ceiling(caller.now, asked.width)
    require_past(start, end, name="starting_at")
    require_past(start, caller.now, name="starting_at")
    require_kept(start, asked.width, caller.now, name="starting_at")
    return start, end


def _key(caller: AdminCaller) -> str:
    return caller.key.public_id


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
