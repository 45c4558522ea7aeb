"""What staff see of the price book: prices per readable unit, and addresses that bring a form filled in."""

from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from billing.display import per_unit
from billing.line_items import UNITS
from billing.models import LineItem, Price, Reason
from billing.prices import payers, rerating
from billing.prices.book import FIRST_DATE
from billing.prices.listing import UnpricedUsage, change_address, change_rows, find_prices, price_rows
from tests.money import ACTOR, at, model_of, set_price, terms, use
from tests.world import World

TODAY = date(2026, 11, 14)


@pytest.mark.parametrize(
    ("price", "line_item", "text"),
    [
        ("0.0000025", LineItem.INPUT, "$2.50 per 1M tokens"),
        ("0.000000075", LineItem.CACHED_INPUT, "$0.075 per 1M tokens"),
        ("0.000015", LineItem.CHARACTER, "$15.00 per 1M characters"),
        ("0.03", LineItem.SESSION, "$0.03 per session"),
        ("0.0001", LineItem.SECOND, "$0.0001 per second"),
        ("0", LineItem.IMAGE, "$0.00 per image"),
    ],
)
def test_a_price_is_told_in_the_unit_that_people_compare(price: str, line_item: LineItem, text: str) -> None:
    assert per_unit(Decimal(price), line_item) == text


@pytest.mark.parametrize("line_item", list(LineItem))
def test_every_line_item_has_a_unit_to_be_priced_in(line_item: LineItem) -> None:
    assert per_unit(Decimal(1), line_item).endswith((UNITS[line_item], f"per {UNITS[line_item][:-1]}"))


def test_an_address_brings_its_fields_whatever_is_in_them() -> None:
    address = urlsplit(change_address(model="a&b=c ü", amount="0.5"))
    assert parse_qs(address.query) == {"model": ["a&b=c ü"], "amount": ["0.5"]}


def row_of(price: Price) -> Any:
    [row] = price_rows([price], TODAY)
    return row


def test_a_row_says_what_it_holds_for_and_since_when(world: World) -> None:
    plain = row_of(set_price("m", "0.5"))
    assert (plain.scope, plain.price, plain.start) == ("", "$500,000.00 per 1M tokens", "Jan 1, 2026")
    special = Price.objects.create(
        model=model_of("m"),
        line_item=LineItem.SESSION,
        organization=world.acme,
        effective_date=FIRST_DATE,
        unit_price=Decimal("0.1"),
        usage_type=1,
        service_tier=1,
        batch=True,
        context_band=200_000,
        source="tests",
    )
    row = row_of(special)
    assert row.scope.endswith("batch, above 200,000 tokens, Acme")
    assert row.start == "always"


def test_the_address_that_corrects_a_price_has_all_that_it_holds_for_and_the_one_that_ends_it_no_amount(
    world: World,
) -> None:
    row = row_of(set_price("m", "0.000100000000", organization=world.acme))
    correct, end = (parse_qs(urlsplit(address).query) for address in (row.correct_address, row.end_address))
    assert (correct["model"], correct["organization"], correct["amount"]) == (["m"], ["acme"], ["100"])
    assert correct["effective_date"] == ["2026-01-01"]
    assert end["effective_date"] == ["2026-11-14"]
    assert "amount" not in end


def test_a_price_that_ends_says_so(db: None) -> None:
    row = row_of(set_price("m", None))
    assert row.price == "Ended"
    assert "amount" not in parse_qs(urlsplit(row.correct_address).query)


def test_a_change_of_a_price_shows_both_and_one_of_a_payer_none(world: World) -> None:
    of_price = rerating.change_price(terms("m", "0.5", start="2026-10-01"), actor=ACTOR)
    of_payer = payers.change_payer(organization=world.labs, parent=None, actor=ACTOR, now=at("2026-10-05"))
    assert (of_price.reason, of_payer.reason) == (Reason.PRICE, Reason.PAYER)
    newest, oldest = change_rows()
    assert (oldest.old_price, oldest.price) == ("none", "$0.50")
    assert (newest.scope, newest.old_price, newest.price) == ("Acme Labs is billed to itself", "", "")


def test_prices_are_found_by_letters_of_the_model_the_newest_of_a_scope_first(db: None) -> None:
    set_price("gpt-a", "1", start="2026-01-01")
    set_price("gpt-a", "2", start="2026-03-01")
    set_price("other", "3")
    assert [price.unit_price for price in find_prices("GPT")] == [2, 1]
    assert find_prices("%").count() == 0


def test_usage_without_a_price_is_a_row_for_each_model_and_part_over_all_organizations(world: World) -> None:
    for organization in (world.acme, world.other):
        use(organization, "2026-10-02", "unknown", input_tokens=1_500_000, output_tokens=10)
    use(world.acme, "2026-10-05", "unknown", input_tokens=1)
    found = UnpricedUsage()
    assert len(found) == 2
    by_item = {row.item: row for row in found[:]}
    assert by_item[LineItem.INPUT].quantity == "3.00M tokens"
    assert by_item[LineItem.INPUT].num_organizations == 2
    assert by_item[LineItem.INPUT].days == "Oct 2, 2026 to Oct 5, 2026"
    assert by_item[LineItem.OUTPUT].days == "Oct 2, 2026"
    assert found[0] == found[:][0]
    assert found[1:2] == found[:][1:]
    assert found[2:] == ()
    address = parse_qs(urlsplit(by_item[LineItem.INPUT].price_address).query)
    assert (address["model"], address["effective_date"]) == (["unknown"], ["2026-10-02"])
