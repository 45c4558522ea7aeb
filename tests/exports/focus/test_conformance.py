"""The files hold to FOCUS: every column, its type, nulls and allowed values, and the rules between columns."""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal

import pytest

from tests.exports.focus import rules, story
from tests.exports.focus.rules import Rule
from tests.usage.focus_files import Row, cost_file, invoice_file, period_file
from tests.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def charges(world: World) -> list[Row]:
    story.happen(world)
    return cost_file(world.acme)


def test_the_story_has_every_kind_of_charge(charges: list[Row]) -> None:
    found = {(row["ChargeCategory"], row["ChargeClass"]) for row in charges}
    assert found == {
        *{(category, "") for category in ("Usage", "Purchase", "Tax", "Credit", "Adjustment")},
        *{(category, "Correction") for category in ("Tax", "Credit", "Adjustment")},
    }


def test_every_column_of_charges_is_as_the_specification_says(charges: list[Row]) -> None:
    _check(charges, rules.COST_AND_USAGE)


def test_every_column_of_invoice_details_is_as_the_specification_says(world: World) -> None:
    story.happen(world)
    _check(invoice_file(world.acme), rules.INVOICE_DETAIL)


def test_every_column_of_billing_periods_is_as_the_specification_says(world: World) -> None:
    story.happen(world)
    _check(period_file(world.acme), rules.BILLING_PERIOD)


def _check(rows: list[Row], expected: Mapping[str, Rule]) -> None:
    assert rows
    names = list(rows[0])
    ours = [name for name in names if name.startswith("x_")]
    assert set(names) - set(ours) == set(expected)
    assert names[len(names) - len(ours) :] == ours
    for row in rows:
        for name, rule in expected.items():
            cell = row[name]
            if not cell:
                assert rule.allows_null, (name, row)
                continue
            assert re.fullmatch(rules.FORMS[rule.type], cell), (name, cell)
            assert not rule.allowed or cell in rule.allowed, (name, cell)


def _is_priced(row: Row) -> bool:
    return row["ChargeCategory"] in {"Usage", "Purchase"} and row["ChargeClass"] != "Correction"


def test_prices_stand_where_something_is_used_or_bought_and_never_on_tax(charges: list[Row]) -> None:
    columns = ("ListUnitPrice", "ContractedUnitPrice", "PricingQuantity", "PricingUnit", "PricingCategory", "SkuId")
    for row in charges:
        for column in (*columns, "SkuPriceId"):
            assert not _is_priced(row) or row[column], column
            assert row["ChargeCategory"] != "Tax" or not row[column], column
        for column in ("ListUnitPrice", "ContractedUnitPrice"):
            assert not row[column] or Decimal(row[column]) >= 0


def test_costs_are_unit_prices_times_quantities_to_the_last_digit(charges: list[Row]) -> None:
    for row in charges:
        for price, cost in (("ListUnitPrice", "ListCost"), ("ContractedUnitPrice", "ContractedCost")):
            if row[price] and row["PricingQuantity"]:
                assert Decimal(row[price]) * Decimal(row["PricingQuantity"]) == Decimal(row[cost])


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("ConsumedQuantity", "ConsumedUnit"),
        ("PricingQuantity", "PricingUnit"),
        ("ResourceId", "ResourceType"),
        ("SubAccountId", "SubAccountType"),
        ("SkuId", "SkuMeter"),
        ("InvoiceId", "InvoiceDetailId"),
    ],
)
def test_a_column_is_null_with_the_one_that_it_explains(charges: list[Row], first: str, then: str) -> None:
    assert all(bool(row[first]) == bool(row[then]) for row in charges)


def test_quantities_are_consumed_by_usage_alone(charges: list[Row]) -> None:
    assert all(bool(row["ConsumedQuantity"]) == (row["ChargeCategory"] == "Usage") for row in charges)


def test_what_follows_from_no_other_charge_costs_what_is_billed(charges: list[Row]) -> None:
    for row in charges:
        if row["ChargeCategory"] in {"Credit", "Adjustment"}:
            assert row["BilledCost"] == row["ListCost"] == row["ContractedCost"]


def test_a_purchase_of_credit_and_what_that_credit_pays_have_no_effective_cost(charges: list[Row]) -> None:
    purchases = [row for row in charges if row["ChargeCategory"] == "Purchase"]
    assert [(row["BilledCost"], row["EffectiveCost"], row["ChargeFrequency"]) for row in purchases] == [
        ("2.5", "0", "One-Time")
    ]
    for row in charges:
        if row["ChargeCategory"] == "Credit":
            effective = "0" if row["ChargeDescription"] == "Prepaid 2026" else row["BilledCost"]
            assert Decimal(row["EffectiveCost"]) == Decimal(effective)


def test_a_price_belongs_to_one_sku_and_has_one_set_of_details(charges: list[Row]) -> None:
    for column in ("SkuId", "SkuPriceDetails", "ListUnitPrice"):
        found: dict[str, set[str]] = {}
        for row in charges:
            if row["SkuPriceId"]:
                found.setdefault(row["SkuPriceId"], set()).add(row[column])
        assert all(len(values) == 1 for values in found.values()), column


def test_a_negotiated_price_stands_beside_the_list_price(charges: list[Row]) -> None:
    output = [row for row in charges if row["SkuMeter"] == "output" and row["ChargeCategory"] == "Usage"]
    assert [(row["ListUnitPrice"], row["ContractedUnitPrice"], row["PricingUnit"]) for row in output] == [
        ("10", "8", "1000000 Tokens")
    ]
    discount = Decimal("0.000002") * 333_333
    (october_tax,) = [row for row in charges if row["ChargeCategory"] == "Tax" and row["InvoiceId"] == "INV-2026-0001"]
    assert Decimal(october_tax["ListCost"]) - Decimal(october_tax["BilledCost"]) == discount * Decimal("0.19")


def test_json_cells_are_flat_objects(charges: list[Row]) -> None:
    for row in charges:
        for column in ("Tags", "SkuPriceDetails"):
            if row[column]:
                assert not any(isinstance(value, (dict, list)) for value in json.loads(row[column]).values())


def test_periods_are_months_and_charges_lie_in_them_or_correct_earlier_ones(charges: list[Row]) -> None:
    for row in charges:
        assert row["BillingPeriodStart"][8:] == row["BillingPeriodEnd"][8:] == "01T00:00:00Z"
        assert row["ChargePeriodStart"] < row["ChargePeriodEnd"]
        is_inside = row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["BillingPeriodEnd"]
        assert is_inside or row["ChargeClass"] == "Correction"


def test_usage_says_who_with_what_and_what_for(world: World) -> None:
    key = story.happen(world)
    found = [
        row
        for row in cost_file(world.acme)
        if row["ChargeCategory"] == "Usage" and row["ChargePeriodStart"] == "2026-10-14T00:00:00Z"
    ]
    asked: Callable[[Row], tuple[str, ...]] = lambda row: (  # noqa: E731 - one expression, used once
        row["x_PrincipalId"],
        row["x_CredentialId"],
        row["ResourceName"],
        row["ConsumedQuantity"],
        row["Tags"].replace(" ", ""),
    )
    default, search = (
        '{"usage-dashboard/project":"Defaultproject"}',
        '{"team":"red","usage-dashboard/project":"Search"}',
    )
    rita, bob = world.rita.public_id, world.bob.public_id
    assert sorted(map(asked, found)) == sorted(
        [
            (rita, key.public_id, "Laptop", "1000000", search),
            (rita, key.public_id, "Laptop", "234567", default),
            (rita, key.public_id, "Laptop", "333333", default),
            (bob, "", "", "777777", default),
        ]
    )
