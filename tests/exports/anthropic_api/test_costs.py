"""`GET /v1/organizations/analytics/cost`: exact, by any groups, at our prices and at the list's, and equal to the Cost page."""

import itertools
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Sum
from django.test import Client

from accounts.models import User
from billing.models import DailyCost, LineItem
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.exports.anthropic_api.asking import every_page, moment, page_of, rows_of
from tests.exports.openai_api.filled import NUM_DAYS, Filled, fill, make_admin_key
from tests.money import set_price
from tests.world import World

SignIn = Callable[[User], Client]
COST = "analytics/cost"
CENTS = 100
GROUPS = ("actor", "api_key_id", "model", "service_tier", "workspace_id", "cost_type", "token_type")


@pytest.fixture
def filled(world: World) -> Filled:
    return fill(world)


@pytest.fixture
def secret(world: World) -> str:
    return make_admin_key(world.acme)


def whole(filled: Filled, **more: Any) -> dict[str, Any]:
    return {"starting_at": moment(filled.start), "ending_at": moment(days_ago(0, hour=0).timestamp()), **more}


def exact(rows: list[dict[str, Any]], name: str = "amount") -> Decimal:
    return sum((Decimal(row["cost"][name]) for row in rows), start=Decimal(0))


def daily_costs(world: World) -> Decimal:
    total = DailyCost.objects.filter(organization_id=world.acme.pk).aggregate(total=Sum("amount"))["total"]
    assert total > 0
    return Decimal(total) * CENTS


@pytest.mark.parametrize("number", [0, 1, 2, 5], ids=str)
def test_costs_by_any_groups_add_up_to_the_daily_costs(world: World, filled: Filled, secret: str, number: int) -> None:
    expected = daily_costs(world)
    for groups in itertools.islice(itertools.combinations(GROUPS[:6], number), 8):
        rows = rows_of(every_page(secret, COST, whole(filled) | {"group_by[]": list(groups), "limit": 50}))
        assert exact(rows) == exact(rows, "list_amount") == expected, groups
        assert {row["cost"]["currency"] for row in rows} == {"USD"}


def test_costs_equal_the_export_of_the_page(world: World, client_of: SignIn, filled: Filled, secret: str) -> None:
    first, last = days_ago(NUM_DAYS).date(), days_ago(0).date()
    address = f"/settings/organization/acme/usage/cost/export.json?start={first}&end={last}"
    exported = json.loads(b"".join(client_of(world.alice).get(address)), parse_float=Decimal)
    in_export = sum((Decimal(str(row["cost_in_major"])) for row in exported if row["cost_in_major"]), start=Decimal(0))
    rows = page_of(secret, COST, whole(filled))["data"]
    assert exact(rows) == in_export * CENTS > 0


@pytest.mark.parametrize("width", ["1d", "1h", "1m"])
def test_buckets_of_every_width_add_up_to_the_same(world: World, filled: Filled, secret: str, width: str) -> None:
    found = Decimal(0)
    for day in range(NUM_DAYS):
        start = filled.start + day * 86_400
        bounds = {"starting_at": moment(start), "ending_at": moment(start + 86_400), "time_bucket_width": width}
        found += exact(rows_of(every_page(secret, COST, bounds | {"group_by[]": "api_key_id", "limit": 6})))
    assert found == daily_costs(world)


def test_kinds_of_cost_belong_together_on_a_page_and_are_told_in_the_vendors_words(
    world: World, filled: Filled, secret: str
) -> None:
    for line_item in (LineItem.IMAGE, LineItem.REQUEST, LineItem.SESSION, LineItem.INPUT):
        assert DailyCost.objects.filter(organization_id=world.acme.pk, line_item=line_item).exists(), line_item
    query = whole(filled) | {"limit": 2, "group_by[]": ["model", "api_key_id", "cost_type", "token_type"]}
    pages = every_page(secret, COST, query)
    whole_rows = rows_of(pages)
    assert exact(whole_rows) == daily_costs(world)
    seen = [[(row["group"]["model"], row["group"]["api_key_id"]) for row in page["data"]] for page in pages]
    assert all(len(set(page)) <= 2 for page in seen)
    assert len({one for page in seen for one in page}) == sum(len(set(page)) for page in seen)
    kinds = {(row["group"]["cost_type"], row["group"]["token_type"]) for row in whole_rows}
    assert {
        ("tokens", "uncached_input_tokens"),
        ("tokens", "output_tokens"),
        ("tokens", "cache_read_input_tokens"),
    } <= kinds
    assert {row["cost"]["requests"] for row in whole_rows} == {None}


def test_types_of_tokens_alone_are_of_tokens_alone_and_kinds_alone_hold_them_together(
    world: World, filled: Filled, secret: str
) -> None:
    both = rows_of(every_page(secret, COST, whole(filled) | {"group_by[]": ["cost_type", "token_type"]}))
    tokens = rows_of(every_page(secret, COST, whole(filled) | {"group_by[]": "token_type"}))
    kinds = rows_of(every_page(secret, COST, whole(filled) | {"group_by[]": "cost_type"}))
    assert exact(tokens) == exact([row for row in both if row["group"]["cost_type"] == "tokens"]) > 0
    assert exact(both) == exact(kinds) == daily_costs(world)
    assert len({row["group"]["cost_type"] for row in kinds}) == len(kinds)
    assert {row["group"]["token_type"] for row in kinds} == {None}
    (of_tokens,) = [row for row in kinds if row["group"]["cost_type"] == "tokens"]
    assert exact([of_tokens]) == exact(tokens)


def test_a_negotiated_price_is_the_amount_and_what_everybody_pays_the_list_amount(world: World, secret: str) -> None:
    set_price("exact", "0.000000000003")
    set_price("exact", "0.000000000001", organization=world.acme)
    key = make_key(world.rita)
    send([make_event(model="exact", api_key_id=key.public_id, input_tokens=123_456_789, output_tokens=0)], make_token())
    roll_up()
    query = {
        "starting_at": moment(days_ago(1, hour=0).timestamp()),
        "ending_at": moment(days_ago(-1, hour=0).timestamp()),
        "group_by[]": "model",
    }
    (row,) = page_of(secret, COST, query)["data"]
    assert row["group"]["model"] == "exact"
    assert (row["cost"]["amount"], row["cost"]["list_amount"]) == ("0.0123456789", "0.0370370367")
    assert (row["cost"]["requests"], row["cost"]["x_unpriced"]) == (1, False)


def test_requests_are_counted_once_however_many_line_items_they_have(world: World, filled: Filled, secret: str) -> None:
    rows = rows_of(every_page(secret, COST, whole(filled) | {"group_by[]": "model", "limit": 1}))
    assert sum(row["cost"]["requests"] for row in rows) == sum(event["num_model_requests"] for event in filled.events)


def test_what_has_no_price_is_said_to_have_none(world: World, secret: str) -> None:
    set_price("free of price", None)
    key = make_key(world.rita)
    send([make_event(model="free of price", api_key_id=key.public_id, input_tokens=9)], make_token())
    roll_up()
    query = {
        "starting_at": moment(days_ago(1, hour=0).timestamp()),
        "ending_at": moment(days_ago(-1, hour=0).timestamp()),
    }
    (row,) = page_of(secret, COST, query)["data"]
    assert row["cost"]["x_unpriced"]
