"""What the addresses of OpenAI's admin API take and refuse, in words and bounds, from the table that they are made from."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter

from accounts.installation.described import MONTH_BEGAN, ORGANIZATION, Errors, example_of
from exports.admin_api.described import array
from exports.openai_api import lists
from exports.openai_api.endpoints import LINE_ITEM, Endpoint
from exports.openai_api.parameters import LAST_MOMENT, OUR_FILTER, OUR_GROUP

FILTERS: Final = {
    "project_ids": "Usage for these projects.",
    "user_ids": "Usage of these people's keys.",
    "api_key_ids": "Usage of these keys; `untracked` finds what shows under no key.",
    "models": "Usage of these models.",
    "line_items": "Costs of these line items, `<model>, <part>`.",
    OUR_FILTER: "Usage of these organizations alone, of those that the key reads.",
}
LIST_ERRORS: Final[Errors] = {
    400: {
        "unknown_parameter": "a parameter that the address does not have",
        "invalid_value": "a value that is none of those allowed",
        "invalid_request": "a `limit` or `after` that cannot be",
        "array_above_max_length": "more than a thousand parameters",
    }
}
PAGE_ERRORS: Final[Errors] = {
    400: {
        "missing_required_parameter": "`start_time` is missing",
        "unknown_parameter": "a parameter that the address does not have",
        "unsupported_parameter": "a filter by what is not known here",
        "invalid_type": "no whole number where one belongs",
        "invalid_value": "a value that is none of those allowed",
        "invalid_request": "`end_time` is not after `start_time`, or that is in the future",
        "integer_below_min_value": "a number below its least value",
        "integer_above_max_value": "a number above its greatest value",
        "array_above_max_length": "too many values, or one that is too long",
        "invalid_cursor": "a `page` of another question or key",
        "range_not_kept": "minutes of days whose events are no longer kept",
    }
}
NOT_FOUND: Final[Errors] = {404: {"not_found": "the key reads nothing with this id"}}


def page_parameters(endpoint: Endpoint) -> list[OpenApiParameter]:
    """Everything that a page of buckets can be asked with."""
    told_apart = [name for name in endpoint.groups if name in ("model", LINE_ITEM)] or ["project_id"]
    example = {OUR_FILTER: [ORGANIZATION]}
    found = [
        OpenApiParameter(
            "start_time",
            _seconds(),
            required=True,
            description="Unix seconds; rounded down to a whole bucket.",
            examples=example_of(MONTH_BEGAN),
        ),
        OpenApiParameter(
            "end_time", _seconds(), description="Unix seconds, exclusive; rounded up. Without it: up to now."
        ),
        OpenApiParameter(
            "bucket_width", str, enum=list(endpoint.limits), default="1d", description="How long each bucket is."
        ),
        array("group_by", "What results are told apart by.", enum=[*endpoint.groups, OUR_GROUP], example=told_apart),
        *(array(name, FILTERS[name], example=example.get(name)) for name in (*endpoint.filters, OUR_FILTER)),
        OpenApiParameter("limit", _limit(endpoint), description=_of_widths(endpoint), examples=example_of(31)),
        OpenApiParameter("page", str, description="`next_page` of the page before, for the one that follows."),
    ]
    if endpoint.takes_batch:
        found.append(OpenApiParameter("batch", bool, description="Usage of batch APIs alone, or of all others."))
    return found


def list_parameters(*more: OpenApiParameter) -> list[OpenApiParameter]:
    """Those of every list, and its own."""
    limit: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": lists.MOST, "default": lists.DEFAULT}
    return [
        OpenApiParameter("limit", limit, description="How many rows, at most."),
        OpenApiParameter("after", str, description="`last_id` of the list before, for what follows."),
        *more,
    ]


ORDER: Final = OpenApiParameter(
    "order", str, enum=["asc", "desc"], default="asc", description="By when they were made."
)


def _seconds() -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "maximum": LAST_MOMENT}


def _limit(endpoint: Endpoint) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": max(most for _, most in endpoint.limits.values())}


def _of_widths(endpoint: Endpoint) -> str:
    widths = [f"{default} of `{width}`, at most {most}" for width, (default, most) in endpoint.limits.items()]
    return f"How many buckets a page has: {'; '.join(widths)}."
