"""`GET /v1/organizations/analytics/usage`: what was used, by any groups, with any filters, in any order."""

import json
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from accounts.changes import routing_change
from accounts.clock import database_now
from accounts.organizations.organizations import remove_member
from exports.anthropic_api.requests import GROUPS
from tests.engine import days_ago
from tests.exports.anthropic_api.asking import Event, every_page, moment, page_of, rows_of
from tests.exports.openai_api.filled import NUM_DAYS, Filled, fill, make_admin_key
from tests.world import World, join

USAGE = "analytics/usage"
TIERS = {"default": "standard"}
Row = dict[str, Any]
KEYS: dict[str, Callable[[Event], object]] = {
    "actor": lambda event: event["user_id"],
    "api_key_id": lambda event: event["api_key_id"],
    "model": lambda event: event["model"],
    "service_tier": lambda event: (
        "batch" if event["batch"] else TIERS.get(event["service_tier"], event["service_tier"])
    ),
}


@pytest.fixture
def filled(world: World) -> Filled:
    return fill(world)


def whole(filled: Filled, **more: Any) -> Row:
    """The query of all that was sent."""
    return {"starting_at": moment(filled.start), "ending_at": moment(days_ago(0, hour=0).timestamp()), **more}


def total(event: Event) -> int:
    return int(event.get("input_tokens") or 0) + int(event.get("output_tokens") or 0)


def everything(_: Event) -> bool:
    return True


def nothing(_: Event) -> bool:
    return False


def by(rows: list[Row], name: str, key: str) -> dict[object, int]:
    found: dict[object, int] = defaultdict(int)
    for row in rows:
        part = row["group"][name]
        found[part["user_id"] if isinstance(part, dict) else part] += row["usage"][key]
    return {part: number for part, number in found.items() if number}


def sent(events: list[Event], key: Callable[[Event], object], number: Callable[[Event], int]) -> dict[object, int]:
    found: dict[object, int] = defaultdict(int)
    for event in events:
        found[key(event)] += number(event)
    return {part: number for part, number in found.items() if number}


def test_without_groups_one_row_is_everything_each_token_counted_once(world: World, filled: Filled) -> None:
    page = page_of(make_admin_key(world.acme), USAGE, whole(filled))
    (row,) = page["data"]
    usage = row["usage"]
    events = filled.events
    assert usage["total_tokens"] == sum(map(total, events))
    assert usage["requests"] == sum(event["num_model_requests"] for event in events)
    assert usage["output_tokens"] == sum(event.get("output_tokens") or 0 for event in events)
    assert usage["cache_read_input_tokens"] == sum(event.get("input_cached_tokens", 0) for event in events)
    long = sum(event.get("input_cache_write_long_tokens", 0) for event in events)
    assert usage["cache_creation"]["ephemeral_1h_input_tokens"] == long
    searches = [event for event in events if event["usage_type"] == "web_search_calls"]
    assert usage["server_tool_use"]["web_search_requests"] == sum(event["num_model_requests"] for event in searches)
    parts = [*usage["cache_creation"].values(), usage["cache_read_input_tokens"], usage["uncached_input_tokens"]]
    assert sum(parts) + usage["output_tokens"] == usage["total_tokens"]
    assert (row["starting_at"], row["ending_at"]) == tuple(whole(filled).values())
    assert set(row["group"].values()) == {None}
    assert (page["has_more"], page["next_page"]) == (False, None)


def test_a_range_without_usage_is_a_row_of_nothing_and_with_groups_no_row(world: World) -> None:
    secret = make_admin_key(world.acme)
    query = {"starting_at": moment(days_ago(2).timestamp())}
    (row,) = page_of(secret, USAGE, query)["data"]
    assert row["usage"]["total_tokens"] == row["usage"]["requests"] == 0
    assert page_of(secret, USAGE, query | {"group_by[]": "model"})["data"] == []


@pytest.mark.parametrize("name", KEYS)
def test_groups_hold_what_was_sent_of_them(world: World, filled: Filled, name: str) -> None:
    rows = rows_of(every_page(make_admin_key(world.acme), USAGE, whole(filled) | {"group_by[]": name, "limit": 3}))
    assert by(rows, name, "total_tokens") == sent(filled.events, KEYS[name], total)
    assert by(rows, name, "requests") == sent(filled.events, KEYS[name], lambda event: event["num_model_requests"])
    assert [row["usage"]["total_tokens"] for row in rows] == sorted(
        (row["usage"]["total_tokens"] for row in rows), reverse=True
    )


def test_workspaces_are_projects(world: World, filled: Filled) -> None:
    secret = make_admin_key(world.acme)
    rows = rows_of(every_page(secret, USAGE, whole(filled) | {"group_by[]": "workspace_id"}))
    expected = sent(filled.events, lambda event: event["project_id"], total)
    found = by(rows, "workspace_id", "total_tokens")
    assert {project: found[project] for project in filled.projects} == {
        project: expected[project] for project in filled.projects
    }
    assert sum(found.values()) == sum(map(total, filled.events))
    query = whole(filled) | {"workspace_ids[]": filled.projects[0]}
    assert page_of(secret, USAGE, query)["data"][0]["usage"]["total_tokens"] == expected[filled.projects[0]]


@pytest.mark.parametrize("width", ["1d", "1h", "1m"])
def test_buckets_hold_what_was_sent_in_them(world: World, filled: Filled, width: str) -> None:
    secret = make_admin_key(world.acme)
    found: dict[str, int] = defaultdict(int)
    for day in range(NUM_DAYS):
        bounds = {
            "starting_at": moment(filled.start + day * 86_400),
            "ending_at": moment(filled.start + day * 86_400 + 86_400),
        }
        query = bounds | {"time_bucket_width": width, "group_by[]": ["api_key_id", "model"], "limit": 7}
        for row in rows_of(every_page(secret, USAGE, query)):
            found[row["starting_at"]] += row["usage"]["total_tokens"]
    seconds = {"1d": 86_400, "1h": 3_600, "1m": 60}[width]
    expected = sent(filled.events, lambda event: moment(event["timestamp"].timestamp() // seconds * seconds), total)
    assert {start: number for start, number in found.items() if number} == expected


def test_rows_are_in_the_order_that_is_asked_for(world: World, filled: Filled) -> None:
    secret = make_admin_key(world.acme)
    query = whole(filled) | {"time_bucket_width": "1d", "group_by[]": ["model", "api_key_id"], "limit": 4}

    def keys(**asked: str) -> list[Any]:
        rows = rows_of(every_page(secret, USAGE, query | asked))
        return [(row["starting_at"], row["usage"]) for row in rows]

    for metric in ("total_tokens", "output_tokens", "requests", "uncached_input_tokens"):
        values = [usage[metric] for _, usage in keys(order_by=metric, order="asc")]
        assert values == sorted(values)
        assert values == [usage[metric] for _, usage in keys(order_by=metric)][::-1]
    newest = keys(order_by="time")
    assert all(
        before[0] > after[0] or before[1]["total_tokens"] >= after[1]["total_tokens"]
        for before, after in pairwise(newest)
    )
    assert [start for start, _ in newest] == sorted((start for start, _ in newest), reverse=True)
    assert [start for start, _ in keys(order_by="time", order="asc")] == sorted(start for start, _ in newest)


def test_every_filter_finds_its_own_and_what_is_elsewhere_finds_nothing(world: World, filled: Filled) -> None:
    secret = make_admin_key(world.acme)
    bob = world.bob.public_id
    key = next(event["api_key_id"] for event in filled.events if event["api_key_id"])
    filters: list[tuple[Row, Callable[[Event], bool]]] = [
        ({"models[]": "gpt-4o"}, lambda event: event["model"] == "gpt-4o"),
        ({"models": "gpt-4o,gpt-4o-mini"}, everything),
        ({"actor_ids[]": bob}, lambda event: event["user_id"] == bob),
        ({"actor_types[]": "user_actor"}, everything),
        ({"actor_types[]": "service_account_actor"}, nothing),
        ({"api_key_ids[]": key}, lambda event: event["api_key_id"] == key),
        ({"api_key_ids[]": [key, ""]}, lambda event: event["api_key_id"] in (key, None)),
        ({"api_key_ids[]": ""}, lambda event: event["api_key_id"] is None),
        ({"service_tiers[]": "batch"}, lambda event: event["batch"]),
        ({"service_tiers[]": ["standard", "flex"]}, lambda event: KEYS["service_tier"](event) in ("standard", "flex")),
        ({"context_windows[]": "0-200k"}, everything),
        ({"context_windows[]": "200k-1M"}, nothing),
        ({"speeds[]": "standard"}, everything),
        ({"speeds[]": "fast"}, nothing),
        ({"inference_geos[]": "not_available"}, everything),
        ({"inference_geos[]": "us"}, nothing),
        ({"organization_ids[]": world.acme.public_id}, everything),
        ({"organization_ids[]": world.other.public_id}, nothing),
        ({"models[]": "never"}, nothing),
        ({"actor_ids[]": world.charlie.public_id}, nothing),
        ({"api_key_ids[]": "key_never"}, nothing),
        ({"workspace_ids[]": "proj_never"}, nothing),
    ]
    for asked, is_meant in filters:
        (row,) = page_of(secret, USAGE, whole(filled) | asked)["data"]
        assert row["usage"]["total_tokens"] == sum(total(event) for event in filled.events if is_meant(event)), asked


def test_all_groups_are_taken_by_fives_and_what_is_not_known_is_one_group(world: World, filled: Filled) -> None:
    secret = make_admin_key(world.acme)
    whole_total = sum(map(total, filled.events))
    for start in range(len(GROUPS)):
        groups = (GROUPS * 2)[start : start + 5]
        rows = rows_of(every_page(secret, USAGE, whole(filled) | {"group_by[]": groups, "limit": 100}))
        assert sum(row["usage"]["total_tokens"] for row in rows) == whole_total, groups
        assert set(rows[0]["group"]) == set(GROUPS)
        for name in ("agent_id", "product", "session_id"):
            assert {row["group"][name] for row in rows} == {None}


def test_people_who_left_are_told_and_can_be_left_out(world: World, filled: Filled) -> None:
    secret = make_admin_key(world.acme)
    join(world.bob, world.other, role="reader")
    with routing_change(world.bob) as now:
        remove_member(organization=world.acme, user=world.bob, now=now)
    query = whole(filled) | {"group_by[]": "actor"}
    actors = [row["group"]["actor"] for row in page_of(secret, USAGE, query)["data"]]
    assert {actor["user_id"]: actor["deleted"] for actor in actors} == {
        world.alice.public_id: False,
        world.bob.public_id: True,
        world.rita.public_id: False,
    }
    rest = page_of(secret, USAGE, query | {"exclude_deleted_users": "true"})["data"]
    assert {row["group"]["actor"]["user_id"] for row in rest} == {world.alice.public_id, world.rita.public_id}


def test_the_end_of_usage_is_now_and_refreshed_is_what_is_complete(world: World, filled: Filled) -> None:
    secret = make_admin_key(world.acme)
    page = page_of(secret, USAGE, {"starting_at": moment(filled.start)})
    (row,) = page["data"]
    now = database_now()
    assert row["ending_at"] == f"{now:%Y-%m-%dT%H}:00:00Z"
    assert page["data_refreshed_at"] <= f"{now:%Y-%m-%dT%H:%M:%SZ}"
    assert json.dumps(row["usage"])
