"""What the addresses of Anthropic's admin API take and refuse, in words and bounds."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter

from accounts.installation.described import MONTH_BEGAN_AT, Errors, example_of
from exports.admin_api.described import array
from exports.anthropic_api.parameters import MOST_GROUPS
from exports.anthropic_api.report_requests import OURS, Report
from exports.anthropic_api.requests import FILTERS, GROUPS, LIMIT, TIME, Endpoint

TEXTS: Final = {
    "account_ids": "Usage of these people's keys.",
    "actor_ids": "Usage of these people's keys.",
    "actor_types": "Usage of actors of these kinds: all are `user_actor`.",
    "api_key_ids": "Usage of these keys; `untracked`, or an empty entry, finds what shows under no key.",
    "context_window": "`0-200k` or `200k-1M`.",
    "context_windows": "`0-200k` or `200k-1M`.",
    "inference_geos": "Usage in these regions; `not_available` where none was said.",
    "models": "Usage of these models.",
    "organization_ids": "Usage of these organizations alone, of those that the key reads.",
    "service_tiers": "Usage of these service tiers: `standard`, `batch`, `flex`, `priority` or a provider's own word.",
    "speeds": "`standard` or `fast`.",
    "workspace_ids": "Usage for these projects.",
}
ERRORS: Final[Errors] = {
    400: {
        "missing_required_parameter": "`starting_at` is missing, or `ending_at` beside `time_bucket_width`",
        "unknown_parameter": "a parameter that the address does not have",
        "unsupported_parameter": "a filter by what is not known here",
        "invalid_type": "no whole number where one belongs",
        "invalid_value": "a value that is none of those allowed, or no moment of RFC 3339",
        "invalid_request": "`ending_at` is not after `starting_at`, or that is in the future",
        "integer_below_min_value": "a number below its least value",
        "integer_above_max_value": "a number above its greatest value",
        "array_above_max_length": "too many values, or one that is too long",
        "invalid_cursor": "a `page` of another question or key, or from too long ago",
        "range_not_kept": "minutes or hours that are no longer kept",
        "range_too_long": "the range is longer than one answer may be of",
    }
}
MOMENT: Final[dict[str, Any]] = {"type": "string", "format": "date-time"}
START: Final = OpenApiParameter(
    "starting_at",
    MOMENT,
    required=True,
    description="RFC 3339; rounded down.",
    examples=example_of(MONTH_BEGAN_AT),
)
PAGE: Final = OpenApiParameter("page", str, description="`next_page` of the page before, for the one that follows.")
BETA: Final = OpenApiParameter("beta", str, description="What the vendor's client adds; nothing depends on it.")


def rows_parameters(endpoint: Endpoint) -> list[OpenApiParameter]:
    """Everything that ranked rows can be asked with."""
    default, most = LIMIT
    groups = [*GROUPS, *endpoint.fan_out]
    return [
        START,
        OpenApiParameter("ending_at", MOMENT, description="RFC 3339, exclusive; at most 31 days after the start."),
        OpenApiParameter(
            "time_bucket_width", str, enum=["1d", "1h", "1m"], description="Rows are of buckets of this length."
        ),
        array("group_by", "What rows are told apart by.", enum=groups, most=MOST_GROUPS + len(endpoint.fan_out)),
        *(array(name, TEXTS[name]) for name in FILTERS),
        OpenApiParameter(
            "exclude_deleted_users", bool, description="Without people who left; needs `group_by` `actor`."
        ),
        OpenApiParameter(
            "order_by",
            str,
            enum=[*endpoint.metrics, TIME],
            default=endpoint.metrics[0],
            description="The order of rows.",
        ),
        OpenApiParameter("order", str, enum=["asc", "desc"], default="desc", description="Its direction."),
        OpenApiParameter("limit", _limit(default, most), description="How many rows a page has at most."),
        PAGE,
        BETA,
    ]


def report_parameters(report: Report) -> list[OpenApiParameter]:
    """Everything that buckets can be asked with."""
    widths = [f"{default} of `{width}`, at most {most}" for width, (default, most) in report.limits.items()]
    most = max(most for _, most in report.limits.values())
    return [
        START,
        OpenApiParameter("ending_at", MOMENT, description="RFC 3339, exclusive; rounded up. Without it: up to now."),
        OpenApiParameter(
            "bucket_width", str, enum=list(report.limits), default="1d", description="How long each bucket is."
        ),
        array("group_by", "What results are told apart by.", enum=[*report.groups, OURS]),
        *(array(name, TEXTS[name]) for name in report.filters),
        OpenApiParameter("limit", _limit(None, most), description=f"How many buckets a page has: {'; '.join(widths)}."),
        PAGE,
        BETA,
    ]


def _limit(default: int | None, most: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": most}
    return schema if default is None else schema | {"default": default}
