"""From what an assistant asks about usage or costs to the rows of the answer, and the sums over all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

from django.conf import settings
from django.http import QueryDict
from mcp.server.mcpserver.exceptions import ToolError

from accounts.pages.words import counted
from accounts.periods import Period, midnight, parse_day
from apikeys.adminkeys.authentication import AdminCaller
from apikeys.models import AdminKey
from exports.admin_api.buckets import Found
from exports.mcp_server.calls import in_words, owned
from exports.openai_api import parameters
from exports.openai_api.endpoints import LINE_ITEM, Endpoint
from exports.openai_api.pages import Read
from exports.openai_api.parameters import Asked
from exports.openai_api.questions import query_of
from exports.openai_api.results import decoded
from metering.rollups.freshness import complete_through
from metering.usage.owned import Asked as Ids

TOTAL: Final = "total"
DAY: Final = "1d"
HOUR: Final = "1h"
MAX_DAYS_OF_HOURS: Final = 31
CUT: Final = (
    "More rows were found than are shown. Ask for fewer days, filter, or group by less; `totals` are of all of them."
)


@dataclass(frozen=True)
class Question:
    """What is asked, as it came."""

    endpoint: Endpoint
    start_date: str
    end_date: str | None
    width: str
    group_by: tuple[str, ...]
    filters: Mapping[str, tuple[str, ...]]


def body_of(caller: AdminCaller, question: Question, read: Read) -> dict[str, Any]:
    """The answer: MCP_MAX_ROWS rows at most, and the sums over the whole range. Raises ToolError or InvalidRequestError."""
    period = read_days(question, caller.now.date())
    asked = parameters.read(_parameters(question, period), question.endpoint)
    _require_readable(caller, asked)
    whole, most = question.width == TOTAL, settings.MCP_MAX_ROWS
    moment = complete_through()

    def find(asked: Asked, most: int, *, whole: bool) -> list[Found]:
        query = query_of(caller, asked, period.start_at, period.end_at)
        return list(map(decoded, read(query, asked, caller.organizations, most=most, whole=whole)))

    found = find(asked, most + 1, whole=whole) if asked.group_by or not whole else []
    totals = find(replace(asked, group_by=()), 1, whole=True)
    is_named = AdminKey.Scope.MEMBERS in caller.key.scopes
    body = {
        "organizations": [{"id": one.public_id, "name": one.name} for one in caller.organizations],
        "start_date": f"{period.start}",
        "end_date": f"{period.end - timedelta(days=1)}",
        "bucket_width": question.width,
        "complete_through": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "totals": _numbers(totals[0], asked) if totals else {},
        "rows": [_row(one, asked, width=question.width, is_named=is_named) for one in found[:most]],
        "cut": len(found) > most,
    }
    return {**body, "note": CUT} if body["cut"] else body


def read_days(question: Question, today: date) -> Period:
    """The days that are asked for. Raises ToolError."""
    if question.width not in (TOTAL, *question.endpoint.limits) or question.width == "1m":
        raise ToolError(f"Unknown bucket_width {in_words([question.width])}: total, 1d or, for usage, 1h.")
    start, last = _day("start_date", question.start_date), _day("end_date", question.end_date or f"{today}")
    if last < start:
        raise ToolError(f"end_date {last} is before start_date {start}." + (" Today is it." if last == today else ""))
    period, most = Period(start, last + timedelta(days=1)), settings.MCP_MAX_DAYS
    if question.width == HOUR:
        most = min(most, MAX_DAYS_OF_HOURS)
    if period.num_days > most:
        raise ToolError(f"At most {counted(most, 'day')} for bucket_width {question.width}, not {period.num_days}.")
    return period


def _day(name: str, text: str) -> date:
    day = parse_day(text)
    if day is None:
        raise ToolError(f"{name} {in_words([text])} is not a day like 2026-11-14.")
    return day


def _parameters(question: Question, period: Period) -> QueryDict:
    """As the admin API is asked, which knows what can be, and says it."""
    query = QueryDict(mutable=True)
    query["start_time"] = f"{midnight(period.start).timestamp():.0f}"
    query["end_time"] = f"{midnight(period.end).timestamp():.0f}"
    query["bucket_width"] = DAY if question.width == TOTAL else question.width
    for name, values in {"group_by": question.group_by, **question.filters}.items():
        if values:
            query.setlist(name, list(values))
    return query


def _require_readable(caller: AdminCaller, asked: Asked) -> None:
    known = {found.public_id for found in caller.organizations}
    if unknown := set(asked.filters.get("organization_ids", ())) - known:
        raise ToolError(f"No organization that this admin key reads has {in_words(sorted(unknown))}.")
    owned(
        caller,
        Ids(
            models=asked.filters.get("models", ()),
            users=asked.filters.get("user_ids", ()),
            api_keys=asked.filters.get("api_key_ids", ()),
            projects=asked.filters.get("project_ids", ()),
        ),
    )


def _row(found: Found, asked: Asked, *, width: str, is_named: bool) -> dict[str, Any]:
    """One row. An id has its name beside it where the key reads members, and always that of an organization."""
    row: dict[str, Any] = {}
    if width != TOTAL:
        row["start"] = f"{found.start:%Y-%m-%d}" if width == DAY else f"{found.start:%Y-%m-%dT%H:%MZ}"
    for group in asked.group_by:
        row[group] = found.result.get(group)
        if group.endswith("_id") and (is_named or group == parameters.OUR_GROUP):
            row[f"{group.removesuffix('_id')}_name"] = found.names[group]
    return row | _numbers(found, asked)


def _numbers(found: Found, asked: Asked) -> dict[str, Any]:
    result = found.result
    if "amount" not in result:
        return {name: result[name] for name in asked.endpoint.fields if result[name]}
    numbers = {"amount_usd": result["amount"]["value"]}
    if LINE_ITEM in asked.group_by:
        numbers |= {"quantity": result["quantity"], "quantity_unit": result["quantity_unit"]}
    return numbers | ({"unpriced": True} if result["x_unpriced"] else {})
