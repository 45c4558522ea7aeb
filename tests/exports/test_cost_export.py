"""The Cost export: columns, rows, exact sums, and who may have it."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.test import Client

from accounts.models import User
from apikeys.keys import keys
from billing.models import DailyCost, LineItem
from metering.models import Sku
from tests.usage.export_skus import make_sku
from tests.usage.rollup_rows import add_cost, add_usage
from tests.world import World

SignIn = Callable[[User], Client]
OCTOBER = "/settings/organization/acme/usage/cost/export.csv?month=2026-10"
DAY = date(2026, 10, 14)
HEADER = (
    "timestamp,currency,name,cost,organization_id,project_id,project_name,organization_name,cost_in_major,date,"
    "line_item,model,quantity,quantity_unit,unit_price,user_id,user_email,api_key_id,api_key_name,attributes"
)


def body(client: Client, address: str = OCTOBER) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.content
    return b"".join(answer).decode()


def rows(client: Client, address: str = OCTOBER) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body(client, address), newline="")))


@pytest.fixture
def sku(world: World) -> Sku:
    return make_sku()


def test_a_month_without_costs_is_the_header_alone(world: World, client_of: SignIn) -> None:
    assert body(client_of(world.alice)) == HEADER + "\r\n"


def test_the_file_is_named_after_its_days(world: World, client_of: SignIn) -> None:
    answer = client_of(world.alice).get(OCTOBER)
    assert answer["Content-Disposition"] == 'attachment; filename="cost-2026-10-01-2026-11-01.csv"'


def test_a_row_is_a_line_item_of_a_user_and_key(world: World, client_of: SignIn, sku: Sku) -> None:
    api_key, _ = keys.create_api_key(user=world.rita, name="Laptop", created_at=datetime(2026, 1, 1, tzinfo=UTC))
    add_usage(world.acme, DAY, world.rita, api_key, sku, input_tokens=1000)
    add_cost((world.acme, DAY, sku), LineItem.INPUT, 1000, "0.0000025")
    assert rows(client_of(world.alice)) == [
        {
            "timestamp": str(int(datetime(2026, 10, 14, tzinfo=UTC).timestamp())),
            "currency": "usd",
            "name": "gpt-4o",
            "cost": "0.25",
            "organization_id": world.acme.public_id,
            "project_id": "",
            "project_name": "Default project",
            "organization_name": "Acme",
            "cost_in_major": "0.00250000",
            "date": "2026-10-14",
            "line_item": "input",
            "model": "gpt-4o",
            "quantity": "1000",
            "quantity_unit": "tokens",
            "unit_price": "0.0000025",
            "user_id": world.rita.public_id,
            "user_email": "rita@acme.test",
            "api_key_id": api_key.public_id,
            "api_key_name": "Laptop",
            "attributes": "{}",
        }
    ]


def test_the_rows_add_up_to_the_daily_costs_exactly(world: World, client_of: SignIn, sku: Sku) -> None:
    priced = make_sku("claude", context_band=200_000)
    for number, user in enumerate((world.alice, world.bob, world.rita), start=1):
        for used in (sku, priced):
            add_usage(
                world.acme,
                DAY,
                user,
                None,
                used,
                input_tokens=1000 * number + 1,
                input_cached_tokens=7 * number,
                input_cache_write_tokens=5,
                input_audio_tokens=number,
                output_tokens=333 * number,
                output_audio_tokens=3,
            )
    quantities = {
        LineItem.INPUT: 6003 - 42 - 15 - 6,
        LineItem.CACHED_INPUT: 42,
        LineItem.CACHE_WRITE: 15,
        LineItem.AUDIO_INPUT: 6,
        LineItem.OUTPUT: 1998 - 9,
        LineItem.AUDIO_OUTPUT: 9,
    }
    for line_item, quantity in quantities.items():
        for used, price in ((sku, "0.000000123457"), (priced, "0.000015")):
            add_cost((world.acme, DAY, used), line_item, quantity, price)
    found = rows(client_of(world.alice))
    total = sum((cost.amount or Decimal(0) for cost in DailyCost.objects.all()), start=Decimal(0))
    assert sum(Decimal(row["cost_in_major"]) for row in found) == total
    assert sum(Decimal(row["cost"]) for row in found) == 100 * total
    assert all(Decimal(row["quantity"]) * Decimal(row["unit_price"]) == Decimal(row["cost_in_major"]) for row in found)
    by_item = {item.label: Decimal(0) for item in quantities}
    for row in found:
        by_item[row["line_item"]] += Decimal(row["quantity"])
    assert by_item == {item.label: 2 * quantity for item, quantity in quantities.items()}


def test_bands_of_one_price_are_one_row_and_of_two_prices_two(world: World, client_of: SignIn, sku: Sku) -> None:
    same, dearer = make_sku(context_band=128_000), make_sku(context_band=200_000)
    for used, price in ((sku, "0.01"), (same, "0.01"), (dearer, "0.02")):
        add_usage(world.acme, DAY, world.rita, None, used, input_tokens=10)
        add_cost((world.acme, DAY, used), LineItem.INPUT, 10, price)
    found = [(row["quantity"], row["unit_price"]) for row in rows(client_of(world.alice))]
    assert found == [("20", "0.01"), ("10", "0.02")]


def test_unpriced_usage_is_empty_and_never_zero(world: World, client_of: SignIn, sku: Sku) -> None:
    add_usage(world.acme, DAY, world.rita, None, sku, input_tokens=10)
    add_cost((world.acme, DAY, sku), LineItem.INPUT, 10, None)
    (row,) = rows(client_of(world.alice))
    assert (row["quantity"], row["unit_price"], row["cost"], row["cost_in_major"]) == ("10", "", "", "")


def test_a_correction_is_a_negative_cost(world: World, client_of: SignIn, sku: Sku) -> None:
    add_usage(world.acme, DAY, world.rita, None, sku, input_tokens=-10)
    add_usage(world.acme, DAY, world.bob, None, sku, input_tokens=30)
    add_cost((world.acme, DAY, sku), LineItem.INPUT, 20, "0.01")
    assert {row["user_email"]: row["cost"] for row in rows(client_of(world.alice))} == {
        "rita@acme.test": "-10",
        "bob@acme.test": "30",
    }


def test_untracked_usage_has_empty_key_columns(world: World, client_of: SignIn, sku: Sku) -> None:
    add_usage(world.acme, DAY, world.rita, None, sku, input_tokens=10)
    add_cost((world.acme, DAY, sku), LineItem.INPUT, 10, "0.01")
    (row,) = rows(client_of(world.alice))
    assert (row["api_key_id"], row["api_key_name"]) == ("", "")


def test_parents_see_children_and_filters_hold(world: World, client_of: SignIn, sku: Sku) -> None:
    for organization in (world.acme, world.labs, world.other):
        add_usage(organization, DAY, world.rita, None, sku, input_tokens=10)
        add_cost((organization, DAY, sku), LineItem.INPUT, 10, "0.01")
    client = client_of(world.alice)
    assert [row["organization_name"] for row in rows(client)] == ["Acme", "Acme Labs"]
    labs = rows(client, f"{OCTOBER}&organization={world.labs.public_id}&group=line_item")
    assert [row["organization_name"] for row in labs] == ["Acme Labs"]


def test_more_than_sixty_days_are_refused_with_a_sentence(world: World, client_of: SignIn) -> None:
    answer = client_of(world.alice).get(OCTOBER.replace("month=2026-10", "start=2026-01-01&end=2026-12-31"))
    assert answer.status_code == 400
    assert "at most 60 days" in answer.content.decode()


def test_only_owners_may_export(world: World, client_of: SignIn) -> None:
    for user, status in ((world.bob, 403), (world.rita, 403), (world.charlie, 404)):
        assert client_of(user).get(OCTOBER).status_code == status
