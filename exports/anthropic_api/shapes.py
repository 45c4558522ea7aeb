"""The shapes of answers in Anthropic's admin API, for the type checker and for the description."""

from typing import Any, Final, Literal, NotRequired, TypedDict

from exports.anthropic_api import report_requests
from exports.anthropic_api.requests import COST, GROUPS


class AnthropicProblem(TypedDict):
    """`code` is stable and for programs, `message` a sentence for people; `param` names the parameter that is wrong."""

    type: str
    message: str
    code: str
    param: str | None


class AnthropicError(TypedDict):
    """An error, in the shape of Anthropic's."""

    type: Literal["error"]
    error: AnthropicProblem
    request_id: str


class Actor(TypedDict):
    """The user of a key; `deleted` where they have left. Name and address are for keys that may read members, and of members."""

    type: Literal["user_actor"]
    user_id: str
    name: str | None
    email_address: str | None
    deleted: bool


class CacheCreation(TypedDict):
    ephemeral_5m_input_tokens: int
    ephemeral_1h_input_tokens: int


class ServerToolUse(TypedDict):
    web_search_requests: int


class UsageMetrics(TypedDict):
    """Each token is in one of the parts of `total_tokens`."""

    uncached_input_tokens: int
    cache_creation: CacheCreation
    cache_read_input_tokens: int
    output_tokens: int
    server_tool_use: ServerToolUse
    total_tokens: int
    requests: int


class CostMetrics(TypedDict):
    """Cents as text, with all digits: at the organization's prices, and at those that hold for everybody. `x_unpriced`: there is
    usage without a price, which is in neither."""

    amount: str
    list_amount: str
    currency: Literal["USD"]
    requests: int | None
    x_unpriced: bool


def _typed(name: str, **fields: Any) -> Any:
    return TypedDict(name, fields)  # type: ignore[operator] # the names are known at run time alone


def _many(item: Any) -> Any:
    return list[item]


def _group(name: str, groups: tuple[str, ...]) -> Any:
    """Every dimension, null where rows are not told apart by it."""
    return _typed(name, **{group: (Actor if group == "actor" else str) | None for group in groups})


def _rows(name: str, group: Any, **figures: Any) -> Any:
    row: Any = _typed(f"{name}Row", starting_at=str, ending_at=str, group=group, **figures)
    return _typed(f"{name}Rows", data=_many(row), has_more=bool, next_page=str | None, data_refreshed_at=str)


def _report(name: str, **fields: Any) -> Any:
    result: Any = _typed(f"{name}Result", **fields, organization_id=NotRequired[str | None])
    bucket: Any = _typed(f"{name}Bucket", starting_at=str, ending_at=str, results=_many(result))
    return _typed(f"{name}Report", data=_many(bucket), has_more=bool, next_page=str | None)


ANALYTICS_USAGE: Final[Any] = _rows("AnalyticsUsage", _group("AnalyticsUsageGroup", GROUPS), usage=UsageMetrics)
ANALYTICS_COST: Final[Any] = _rows(
    "AnalyticsCost", _group("AnalyticsCostGroup", (*GROUPS, *COST.fan_out)), cost=CostMetrics
)
MESSAGES: Final[Any] = _report(
    "AnthropicMessages",
    uncached_input_tokens=int,
    cache_creation=CacheCreation,
    cache_read_input_tokens=int,
    output_tokens=int,
    server_tool_use=ServerToolUse,
    **dict.fromkeys(report_requests.MESSAGES.groups, str | None),
)
COSTS: Final[Any] = _report(
    "AnthropicCosts",
    currency=Literal["USD"],
    amount=str,
    x_unpriced=bool,
    **dict.fromkeys(
        (
            *("workspace_id", "description", "cost_type", "token_type"),
            *("context_window", "inference_geo", "model", "service_tier"),
        ),
        str | None,
    ),
)
