"""What cannot be asked of Anthropic's admin API: 400 with a sentence that names what is wrong, in the vendor's envelope."""

import json
from typing import Any

import pytest
from pytest_django import Settings

from tests.engine import days_ago
from tests.exports.anthropic_api.asking import ask, moment
from tests.exports.openai_api.filled import make_admin_key
from tests.world import World

START = (2, 0.0)
END = (1, 0.0)
"""Moments, as days before today and an hour."""
USAGE, COST, MESSAGES, COSTS = ADDRESSES = (
    "analytics/usage",
    "analytics/cost",
    "usage_report/messages",
    "cost_report",
)
SHORT = {"starting_at": START, "ending_at": END}


def sent(query: dict[str, Any]) -> dict[str, Any]:
    """The query with its moments as they are sent."""
    return {
        name: moment(days_ago(value[0], hour=value[1]).timestamp()) if isinstance(value, tuple) else value
        for name, value in query.items()
    }


OF_ALL: list[tuple[dict[str, Any], str, str, str]] = [
    ({}, "starting_at", "missing_required_parameter", "'starting_at'"),
    ({"starting_at": "yesterday"}, "starting_at", "invalid_value", "RFC 3339"),
    ({"starting_at": "1795392000"}, "starting_at", "invalid_value", "RFC 3339"),
    ({"starting_at": "2026-11-01"}, "starting_at", "invalid_value", "RFC 3339"),
    ({"starting_at": "2026-11-01T00:00:00"}, "starting_at", "invalid_value", "offset from UTC"),
    ({"starting_at": "2026-02-30T00:00:00Z"}, "starting_at", "invalid_value", "RFC 3339"),
    ({"starting_at": "0001-01-01T00:00:00Z"}, "starting_at", "invalid_value", "RFC 3339"),
    ({"starting_at": "9999-12-31T23:59:59-10:00"}, "starting_at", "invalid_value", "RFC 3339"),
    ({"starting_at": "2126-01-01T00:00:00Z"}, "starting_at", "invalid_request", "in the future"),
    ({"starting_at": END, "ending_at": START}, "ending_at", "invalid_request", "after 'starting_at'"),
    ({"starting_at": START, "ending_at": START}, "ending_at", "invalid_request", "after 'starting_at'"),
    (SHORT | {"limit": 0}, "limit", "integer_below_min_value", ">= 1, but got 0"),
    (SHORT | {"limit": 10_000}, "limit", "integer_above_max_value", "<= "),
    (SHORT | {"limit": "many"}, "limit", "invalid_type", "an integer"),
    (SHORT | {"group_by[]": "colour"}, "group_by[0]", "invalid_value", "'workspace_id'"),
    (SHORT | {"modles": "gpt-4o"}, "modles", "unknown_parameter", "'modles'"),
    (SHORT | {"workspace_ids": "a\0b"}, "workspace_ids", "invalid_value", "workspace_ids"),
    (SHORT | {"workspace_ids": "m," * 1001}, "workspace_ids", "array_above_max_length", "1000"),
    (SHORT | {"page": "page_x"}, "page", "invalid_cursor", "cursor"),
    (SHORT | {"products[]": "chat"}, "products", "unsupported_parameter", "not known here"),
]
LONG = {"starting_at": (40, 0.0), "ending_at": END}
OF_ONE: list[tuple[str, dict[str, Any], str, str, str]] = [
    (USAGE, LONG, "ending_at", "range_too_long", "31 days"),
    (COST, LONG, "ending_at", "range_too_long", "31 days"),
    (
        USAGE,
        {"starting_at": START, "time_bucket_width": "1d"},
        "ending_at",
        "missing_required_parameter",
        "'ending_at'",
    ),
    (USAGE, SHORT | {"time_bucket_width": "1w"}, "time_bucket_width", "invalid_value", "'1d', '1h', and '1m'"),
    (
        USAGE,
        {"starting_at": START, "ending_at": (0, 12.0), "time_bucket_width": "1m"},
        "ending_at",
        "range_too_long",
        "24 hours",
    ),
    (USAGE, SHORT | {"order": "up"}, "order", "invalid_value", "'asc', and 'desc'"),
    (USAGE, SHORT | {"order_by": "amount"}, "order_by", "invalid_value", "'total_tokens'"),
    (COST, SHORT | {"order_by": "requests"}, "order_by", "invalid_value", "'list_amount'"),
    (USAGE, SHORT | {"group_by[]": "token_type"}, "group_by[0]", "invalid_value", "'actor'"),
    (USAGE, SHORT | {"exclude_deleted_users": "true"}, "exclude_deleted_users", "invalid_request", "group_by[]=actor"),
    (
        USAGE,
        SHORT | {"exclude_deleted_users": "maybe"},
        "exclude_deleted_users",
        "invalid_value",
        "'true', and 'false'",
    ),
    (
        USAGE,
        SHORT | {"group_by[]": ["actor", "api_key_id", "model", "speed", "service_tier", "workspace_id"]},
        "group_by",
        "array_above_max_length",
        "at most 5",
    ),
    (USAGE, {"starting_at": START, "ending_at": (2, 0.5)}, "ending_at", "invalid_request", "whole hours"),
    (
        USAGE,
        {"starting_at": "2025-01-01T10:00:00Z", "ending_at": "2025-01-02T10:00:00Z"},
        "starting_at",
        "range_not_kept",
        "hours are kept",
    ),
    (
        MESSAGES,
        {"starting_at": "2025-01-01T00:00:00Z", "bucket_width": "1m"},
        "starting_at",
        "range_not_kept",
        "minutes",
    ),
    (MESSAGES, {"starting_at": "2025-01-01T00:00:00Z", "bucket_width": "1h"}, "starting_at", "range_not_kept", "hours"),
    (
        MESSAGES,
        SHORT | {"service_account_ids[]": "svac_1"},
        "service_account_ids",
        "unsupported_parameter",
        "not known",
    ),
    (COSTS, SHORT | {"bucket_width": "1h"}, "bucket_width", "invalid_value", "values are: '1d'."),
    (COSTS, SHORT | {"limit": 32}, "limit", "integer_above_max_value", "<= 31"),
]
BAD = [*((address, *row) for address in ADDRESSES for row in OF_ALL), *OF_ONE]


@pytest.mark.parametrize(
    ("address", "query", "refusal"),
    [(*row[:2], row[2:]) for row in BAD],
    ids=[f"{row[0]}-{row[1]}"[:90] for row in BAD],
)
def test_a_bad_parameter_is_named_with_a_stable_code_and_a_sentence(
    world: World, address: str, query: dict[str, Any], refusal: tuple[str, str, str]
) -> None:
    param, code, part = refusal
    answer = ask(make_admin_key(world.acme), address, sent(query))
    assert answer.status_code == 400, answer.content
    body = json.loads(answer.content)
    assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")
    assert (body["error"]["param"], body["error"]["code"]) == (param, code)
    assert part in body["error"]["message"]
    assert body["request_id"] == answer["request-id"] == answer["x-request-id"]


def test_an_offset_is_kept_and_a_plus_that_was_not_escaped_is_understood(world: World) -> None:
    secret = make_admin_key(world.acme)
    for text in (
        "2026-11-20T02:00:00+02:00",
        "2026-11-20T02:00:00 02:00",
        "2026-11-20T00:00:00.5Z",
        "2026-11-20t00:00:00z",
    ):
        (row,) = json.loads(ask(secret, USAGE, {"starting_at": text}).content)["data"]
        assert row["starting_at"] == "2026-11-20T00:00:00Z"


def test_days_of_years_ago_are_kept(world: World) -> None:
    query = {"starting_at": "2020-01-01T00:00:00Z", "ending_at": "2020-02-01T00:00:00Z", "time_bucket_width": "1d"}
    assert ask(make_admin_key(world.acme), USAGE, query).status_code == 200


@pytest.mark.parametrize(
    ("address", "scope"), [(USAGE, "usage"), (COST, "costs"), (MESSAGES, "usage"), (COSTS, "costs")]
)
def test_a_key_with_too_small_a_scope_is_told_which_it_needs(world: World, address: str, scope: str) -> None:
    others = [one for one in ("usage", "costs", "invoices", "members") if one != scope]
    answer = ask(make_admin_key(world.acme, *others), address, sent(SHORT))
    assert answer.status_code == 403
    error = json.loads(answer.content)["error"]
    assert error["type"] == "permission_error"
    assert f"`{scope}`" in error["message"]


def test_nothing_is_answered_without_a_key(world: World) -> None:
    for address in ADDRESSES:
        answer = ask("sk-admin-" + "x" * 40, address, sent(SHORT))
        assert answer.status_code == 401
        assert json.loads(answer.content)["error"]["type"] == "authentication_error"


def test_a_key_that_asks_too_often_is_told_when_to_come_back(world: World, settings: Settings) -> None:
    settings.ADMIN_KEY_REQUESTS_PER_MINUTE = 2
    secret = make_admin_key(world.acme)
    answers = [ask(secret, USAGE, sent(SHORT)) for _ in range(4)]  # a minute may begin on the way
    assert answers[0]["anthropic-ratelimit-requests-limit"] == "2"
    assert answers[0]["anthropic-ratelimit-requests-remaining"] == "1"
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert int(refused[0]["Retry-After"]) > 0
    assert refused[0]["anthropic-ratelimit-requests-reset"].endswith("Z")
    assert json.loads(refused[0].content)["error"]["type"] == "rate_limit_error"
