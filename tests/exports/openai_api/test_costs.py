"""`GET /v1/organization/costs`: exact, by any groups, and equal to the Cost page and its export."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Sum
from django.test import Client

from accounts.models import User
from billing.models import DailyCost
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.exports.openai_api.filled import Filled, ask, every_page, fill, make_admin_key, results_of
from tests.money import set_price
from tests.world import World

SignIn = Callable[[User], Client]


@pytest.fixture
def filled(world: World) -> Filled:
    return fill(world)


@pytest.fixture
def secret(world: World) -> str:
    return make_admin_key(world.acme)


def exact(pages: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(row["amount"]["x_value"]) for row in results_of(pages)), start=Decimal(0))


@pytest.mark.parametrize(
    "groups",
    [
        (),
        ("project_id",),
        ("line_item",),
        ("user_id", "api_key_id"),
        ("project_id", "user_id", "api_key_id", "line_item", "api_source"),
    ],
    ids=str,
)
def test_costs_by_any_groups_add_up_to_the_daily_costs(
    world: World, filled: Filled, secret: str, groups: tuple[str, ...]
) -> None:
    pages = every_page(secret, "costs", {"start_time": filled.start, "group_by[]": list(groups), "limit": 2})
    total = DailyCost.objects.filter(organization_id=world.acme.pk).aggregate(total=Sum("amount"))["total"]
    assert exact(pages) == total > 0
    for row in results_of(pages):
        assert all((row[name] is not None) == (name in groups) for name in ("line_item", "user_id", "api_source"))
        assert (row["quantity"] is not None) == ("line_item" in groups)


def test_costs_equal_the_export_of_the_page(world: World, client_of: SignIn, filled: Filled, secret: str) -> None:
    first, last = days_ago(3).date(), days_ago(0).date()
    address = f"/settings/organization/acme/usage/cost/export.json?start={first}&end={last}"
    exported = json.loads(b"".join(client_of(world.alice).get(address)), parse_float=Decimal)
    in_export = sum((Decimal(str(row["cost_in_major"])) for row in exported if row["cost_in_major"]), start=Decimal(0))
    query = {"start_time": filled.start, "end_time": int(days_ago(0, hour=0).timestamp())}
    assert exact(every_page(secret, "costs", query)) == in_export > 0


def test_an_amount_is_a_number_with_all_its_digits(world: World, secret: str) -> None:
    set_price("exact", "0.000000000001")
    key = make_key(world.rita)
    send([make_event(model="exact", api_key_id=key.public_id, input_tokens=123_456_789, output_tokens=0)], make_token())
    roll_up()
    answer = ask(secret, "costs", {"start_time": int(days_ago(1, hour=0).timestamp()), "group_by": "line_item"})
    (row,) = results_of([json.loads(answer.content, parse_float=Decimal)])
    assert row["amount"] == {"value": Decimal("0.000123456789"), "currency": "usd", "x_value": "0.000123456789"}
    assert (row["line_item"], row["quantity"], row["quantity_unit"]) == ("exact, input", 123_456_789, "tokens")
    assert b"0.000123456789" in answer.content


def test_what_has_no_price_is_said_to_have_none(world: World, secret: str) -> None:
    set_price("dear", "1")
    key = make_key(world.rita)
    events = [make_event(id=model, model=model, api_key_id=key.public_id, output_tokens=0) for model in ("dear", "new")]
    send(events, make_token())
    roll_up()
    start = {"start_time": int(days_ago(1, hour=0).timestamp())}
    by_item = results_of(every_page(secret, "costs", start | {"group_by": "line_item"}))
    assert {(row["line_item"], row["x_unpriced"]) for row in by_item} == {("dear, input", False), ("new, input", True)}
    (together,) = results_of(every_page(secret, "costs", start))
    assert (together["amount"]["x_value"], together["x_unpriced"]) == ("100", True)


def test_line_items_are_filtered_by_their_whole_names(filled: Filled, secret: str) -> None:
    start = {"start_time": filled.start}
    all_rows = results_of(every_page(secret, "costs", start | {"group_by": "line_item"}))
    names = ["gpt-4o, input", "gpt-4o-mini, output"]
    found = results_of(every_page(secret, "costs", start | {"group_by": "line_item", "line_items[]": names}))
    assert found == [row for row in all_rows if row["line_item"] in names]
    assert {row["line_item"] for row in found} == set(names)
    for nothing in ("gpt-4o", "input", "gpt-4o, never", "never, input"):
        assert results_of(every_page(secret, "costs", start | {"line_items": nothing})) == [], nothing
