"""What cannot be asked of OpenAI's admin API: 400 with the vendor's sentence, and the parameter that is wrong."""

import json
from typing import Any

import pytest

from tests.engine import days_ago
from tests.exports.openai_api.filled import ask, make_admin_key
from tests.world import World

START = 1_760_000_000
BAD: list[tuple[str, dict[str, Any], str | None, str, str]] = [
    ("usage/completions", {}, "start_time", "missing_required_parameter", "Missing required parameter: 'start_time'."),
    ("usage/completions", {"start_time": "yesterday"}, "start_time", "invalid_type", "expected an integer"),
    ("usage/completions", {"start_time": "-1"}, "start_time", "integer_below_min_value", "Unix seconds"),
    ("usage/completions", {"start_time": 1_760_000_000_000}, "start_time", "integer_above_max_value", "Unix seconds"),
    ("usage/completions", {"start_time": 9 * 10**17}, "start_time", "integer_above_max_value", "Unix seconds"),
    ("usage/completions", {"start_time": 3_000_000_000}, "start_time", "invalid_request", "in the future"),
    ("usage/completions", {"start_time": START, "end_time": START}, "end_time", "invalid_request", "after"),
    ("usage/completions", {"start_time": START, "end_time": START - 9}, "end_time", "invalid_request", "after"),
    ("usage/completions", {"start_time": START, "limit": 0}, "limit", "integer_below_min_value", ">= 1, but got 0"),
    ("usage/completions", {"start_time": START, "limit": 10_000}, "limit", "integer_above_max_value", "<= 31"),
    ("usage/completions", {"start_time": START, "limit": "x"}, "limit", "invalid_type", "expected an integer"),
    ("usage/completions", {"start_time": START, "bucket_width": "1w"}, "bucket_width", "invalid_value", "'1m', '1h'"),
    ("usage/completions", {"start_time": START, "group_by": "colour"}, "group_by[0]", "invalid_value", "'project_id'"),
    ("usage/completions", {"start_time": START, "batch": "maybe"}, "batch", "invalid_value", "'true', and 'false'"),
    ("usage/completions", {"start_time": START, "modles": "gpt-4o"}, "modles", "unknown_parameter", "'modles'"),
    ("usage/completions", {"start_time": START, "models": "a\0b"}, "models", "invalid_value", "models"),
    ("usage/completions", {"start_time": START, "models": "m," * 1001}, "models", "array_above_max_length", "1000"),
    ("usage/completions", {"start_time": START, "page": "page_x"}, "page", "invalid_cursor", "cursor"),
    ("usage/completions", {"start_time": START, "bucket_width": "1m"}, "start_time", "range_not_kept", "minutes"),
    ("usage/embeddings", {"start_time": START, "batch": "true"}, "batch", "unknown_parameter", "'batch'"),
    ("usage/vector_stores", {"start_time": START, "group_by": "model"}, "group_by[0]", "invalid_value", "'project_id'"),
    ("usage/images", {"start_time": START, "sizes": "256x256"}, "sizes", "unsupported_parameter", "'sizes'"),
    ("usage/images", {"start_time": START, "size": "256x256"}, "sizes", "unsupported_parameter", "'sizes'"),
    ("costs", {"start_time": START, "bucket_width": "1h"}, "bucket_width", "invalid_value", "values are: '1d'."),
    ("costs", {"start_time": START, "limit": 181}, "limit", "integer_above_max_value", "<= 180"),
    ("costs", {"start_time": START, "group_by": "model"}, "group_by[0]", "invalid_value", "'line_item'"),
    ("projects", {"limit": 0}, "limit", "integer_below_min_value", ">= 1"),
    ("users", {"limit[]": 101}, "limit", "integer_above_max_value", "<= 100"),
    ("users", {"after": "a\0b"}, "after", "invalid_value", "'after'"),
    ("projects", {"after": "proj_never"}, "after", "invalid_request", "'proj_never'"),
    ("users", {"colour": "red"}, "colour", "unknown_parameter", "'colour'"),
    ("admin_api_keys", {"order": "up"}, "order", "invalid_value", "'asc', and 'desc'"),
]


@pytest.mark.parametrize(
    ("address", "query", "refusal"),
    [(*row[:2], row[2:]) for row in BAD],
    ids=[f"{row[0]}-{row[1]}"[:70] for row in BAD],
)
def test_a_bad_parameter_is_named_with_a_stable_code_and_a_sentence(
    world: World, address: str, query: dict[str, Any], refusal: tuple[str, str, str]
) -> None:
    param, code, part = refusal
    answer = ask(make_admin_key(world.acme), address, query)
    assert answer.status_code == 400, answer.content
    error = json.loads(answer.content)["error"]
    assert (error["param"], error["code"], error["type"]) == (param, code, "invalid_request_error")
    assert part in error["message"]


def test_a_key_with_too_small_a_scope_is_told_which_it_needs(world: World) -> None:
    start = {"start_time": int(days_ago(1).timestamp())}
    for scope, address, query in (
        ("usage", "usage/images", start),
        ("costs", "costs", start),
        ("costs", "spend_alerts", {}),
        ("costs", "spend_limit", {}),
        ("members", "users", {}),
        ("members", "projects", {}),
        ("members", "admin_api_keys", {}),
    ):
        others = [one for one in ("usage", "costs", "invoices", "members") if one != scope]
        answer = ask(make_admin_key(world.acme, *others), address, query)
        assert answer.status_code == 403, address
        assert f"`{scope}`" in json.loads(answer.content)["error"]["message"]


def test_nothing_is_answered_without_a_key(world: World) -> None:
    for address in ("usage/images", "costs", "users", "projects", "projects/x", "admin_api_keys", "spend_limit"):
        assert ask("sk-admin-" + "x" * 40, address).status_code == 401, address
