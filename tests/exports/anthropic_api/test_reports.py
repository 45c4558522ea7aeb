"""The older reports: `GET /v1/organizations/usage_report/messages` and `/v1/organizations/cost_report`."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Sum

from billing.models import DailyCost
from exports.anthropic_api.report_requests import MESSAGES
from tests.engine import days_ago
from tests.exports.anthropic_api.asking import Event, ask, every_page, moment, page_of, results_of
from tests.exports.openai_api.filled import NUM_DAYS, Filled, fill, make_admin_key, sums
from tests.world import World

USAGE, COST = "usage_report/messages", "cost_report"
CENTS = 100
KEYS: dict[str, Callable[[Event], Any]] = {
    "account_id": lambda event: event["user_id"],
    "api_key_id": lambda event: event["api_key_id"],
    "model": lambda event: event["model"],
}


@pytest.fixture
def filled(world: World) -> Filled:
    return fill(world)


@pytest.fixture
def secret(world: World) -> str:
    return make_admin_key(world.acme)


def completions(filled: Filled) -> list[Event]:
    return [event for event in filled.events if event["usage_type"] == "completions"]


@pytest.mark.parametrize("name", KEYS)
def test_tokens_are_those_of_completions(world: World, filled: Filled, secret: str, name: str) -> None:
    pages = every_page(secret, USAGE, {"starting_at": moment(filled.start), "group_by[]": name, "limit": 2})
    found = sums(results_of(pages), lambda row: row[name], "output_tokens")
    assert found == sums(completions(filled), KEYS[name], "output_tokens") != {}
    reads = sums(results_of(pages), lambda row: row[name], "cache_read_input_tokens")
    assert reads == sums(completions(filled), KEYS[name], "input_cached_tokens")


def test_input_is_counted_once_and_searches_stand_beside(world: World, filled: Filled, secret: str) -> None:
    rows = results_of(every_page(secret, USAGE, {"starting_at": moment(filled.start), "limit": 31}))
    parts = ("uncached_input_tokens", "cache_read_input_tokens")
    total = sum(row[part] for row in rows for part in parts) + sum(sum(row["cache_creation"].values()) for row in rows)
    assert total == sum(event["input_tokens"] for event in completions(filled))
    searches = [event for event in filled.events if event["usage_type"] == "web_search_calls"]
    found = sum(row["server_tool_use"]["web_search_requests"] for row in rows)
    assert found == sum(event["num_model_requests"] for event in searches) > 0


def test_results_have_every_field_of_the_vendor_and_buckets_are_whole_and_also_empty(
    world: World, filled: Filled, secret: str
) -> None:
    query = {"starting_at": moment(filled.start), "ending_at": moment(filled.start + 5 * 86_400 - 1), "limit": 31}
    page = page_of(secret, USAGE, query | {"group_by[]": list(MESSAGES.groups)})
    assert [bucket["starting_at"] for bucket in page["data"]] == [
        moment(filled.start + day * 86_400) for day in range(5)
    ]
    assert page["data"][-1]["results"] == []
    for row in results_of([page]):
        assert set(MESSAGES.groups) <= set(row)
        assert (row["context_window"], row["speed"], row["inference_geo"]) == ("0-200k", "standard", None)
    assert all(row["model"] is row["account_id"] is None for row in results_of([page_of(secret, USAGE, query)]))


@pytest.mark.parametrize(("width", "limit"), [("1h", 5), ("1m", 1440)])
def test_narrow_buckets_add_up_to_the_days(world: World, filled: Filled, secret: str, width: str, limit: int) -> None:
    bounds = {"starting_at": moment(filled.start), "ending_at": moment(days_ago(0, hour=0).timestamp())}
    pages = every_page(secret, USAGE, bounds | {"bucket_width": width, "limit": limit})
    starts = [bucket["starting_at"] for page in pages for bucket in page["data"]]
    assert len(starts) == len(set(starts)) == NUM_DAYS * {"1h": 24, "1m": 1440}[width]
    found = sum(row["output_tokens"] for row in results_of(pages))
    assert found == sum(event["output_tokens"] for event in completions(filled))


def test_filters_are_those_of_the_vendor(world: World, filled: Filled, secret: str) -> None:
    start = {"starting_at": moment(filled.start), "limit": 31}
    for name, value, is_meant in (
        ("models[]", "gpt-4o", lambda event: event["model"] == "gpt-4o"),
        ("account_ids[]", world.rita.public_id, lambda event: event["user_id"] == world.rita.public_id),
        ("workspace_ids[]", filled.projects[1], lambda event: event["project_id"] == filled.projects[1]),
        ("service_tiers[]", "batch", lambda event: event["batch"]),
        ("context_window[]", "0-200k", bool),
        ("api_key_ids[]", "key_never", lambda event: not event),
        ("account_ids[]", world.charlie.public_id, lambda event: not event),
    ):
        found = sum(row["output_tokens"] for row in results_of([page_of(secret, USAGE, start | {name: value})]))
        assert found == sum(event["output_tokens"] for event in completions(filled) if is_meant(event)), name


@pytest.mark.parametrize("groups", [(), ("workspace_id",), ("description",), ("workspace_id", "description")], ids=str)
def test_costs_add_up_to_the_daily_costs(world: World, filled: Filled, secret: str, groups: tuple[str, ...]) -> None:
    pages = every_page(secret, COST, {"starting_at": moment(filled.start), "group_by[]": list(groups), "limit": 2})
    total = DailyCost.objects.filter(organization_id=world.acme.pk).aggregate(total=Sum("amount"))["total"]
    rows = results_of(pages)
    assert sum((Decimal(row["amount"]) for row in rows), start=Decimal(0)) == total * CENTS > 0
    for row in rows:
        assert row["currency"] == "USD"
        assert (row["description"] is not None) == (row["model"] is not None) == ("description" in groups)
        assert (row["workspace_id"] is not None) == ("workspace_id" in groups)
    if "description" in groups:
        kinds = {(row["cost_type"], row["token_type"]) for row in rows}
        assert ("tokens", "output_tokens") in kinds
        assert {"gpt-4o, cached input", "gpt-4o, output"} <= {row["description"] for row in rows}


def test_a_parents_key_reads_its_children_and_tells_them_apart(world: World, filled: Filled) -> None:
    secret = make_admin_key(world.acme)
    query = {"starting_at": moment(filled.start), "group_by[]": "organization_id", "limit": 31}
    rows = results_of([page_of(secret, COST, query)])
    assert {row["organization_id"] for row in rows} == {world.acme.public_id}
    of_child = make_admin_key(world.labs)
    assert results_of([page_of(of_child, COST, query)]) == []
    assert results_of([page_of(of_child, COST, query | {"organization_ids[]": world.acme.public_id})]) == []


def test_answers_say_through_when_they_are_complete(world: World, filled: Filled, secret: str) -> None:
    answer = ask(secret, COST, {"starting_at": moment(filled.start)})
    assert answer["x-complete-through"].endswith("Z")
    assert json.loads(answer.content)["has_more"] is False
