"""What one request, 1,000 tokens or a value of an attribute cost, and what the cache saved: exact, and of priced usage alone."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from django.test import Client

from accounts.models import User
from accounts.periods import month_of
from billing.cost import queries
from billing.cost.queries import Counted, spending
from billing.display import small_dollars
from billing.models import LineItem
from metering.models import Sku
from metering.usage.declared import declared_in
from metering.usage.groupings import USER
from metering.usage.queries import UsageQuery
from tests.engine import make_event, make_key, make_token, roll_up, send
from tests.metering.pages.test_activity_page import page_of
from tests.usage.attributions import declare, say
from tests.usage.rollup_rows import add_cost, add_usage, sku_of
from tests.world import World

SignIn = Callable[[User], Client]
DAY = date(2026, 10, 14)
PAGE = "/settings/organization/acme/usage/cost/"


@pytest.fixture
def query(world: World) -> UsageQuery:
    """4 requests of 600 input tokens, 400 of them cached, that cost $0.0008; and 3 requests without a price."""
    sku = sku_of("m")
    add_usage(world.acme, DAY, world.bob, None, sku, num_model_requests=4, input_tokens=600, input_cached_tokens=400)
    add_cost((world.acme, DAY, sku), LineItem.INPUT, 200, "0.000003")
    add_cost((world.acme, DAY, sku), LineItem.CACHED_INPUT, 400, "0.0000005")
    unpriced = sku_of("unpriced")
    add_usage(world.acme, DAY, world.rita, None, unpriced, num_model_requests=3, input_tokens=10**6)
    add_cost((world.acme, DAY, unpriced), LineItem.INPUT, 10**6, None)
    return UsageQuery((world.acme.pk,), month_of(DAY))


def test_requests_and_tokens_without_a_price_do_not_make_the_others_cheap(query: UsageQuery) -> None:
    found = spending(query)
    assert found.requests == Counted(Decimal(4), Decimal("0.0008"))
    assert found.tokens == Counted(Decimal(600), Decimal("0.0008"))


def test_the_cache_saved_what_its_tokens_would_have_cost_more(query: UsageQuery) -> None:
    assert spending(query).saved == 400 * Decimal("0.0000025")


def test_other_units_are_no_part_of_what_tokens_cost(query: UsageQuery, world: World) -> None:
    add_cost((world.acme, DAY, Sku.objects.get(model__name="m")), LineItem.REQUEST, 4, "1")
    found = spending(query)
    assert (found.requests.amount, found.tokens.amount) == (Decimal("4.0008"), Decimal("0.0008"))


def test_a_line_item_that_comes_in_while_a_page_is_made_is_in_its_parts(
    query: UsageQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_user = replace(query, group=USER)
    before = spending(by_user)
    monkeypatch.setattr(queries, "charged_for", lambda _query: (LineItem.INPUT,))
    found = spending(by_user)
    assert found == before
    assert sum(row.amount for row in found.parts) == found.amount


def test_a_page_says_them(query: UsageQuery, world: World, client_of: SignIn) -> None:
    page = page_of(client_of(world.alice), f"{PAGE}?month=2026-10")
    told = " ".join(re.sub("<[^>]+>", " ", page.split('class="unit-costs"')[1].split("</dl>")[0]).split())
    for label, amount in (
        ("Per request", "$0.0002"),
        ("Per 1,000 tokens", "$0.00133"),
        ("Saved by the cache", "&lt;$0.01"),
    ):
        assert f"{label} {amount}" in told


def test_nothing_is_divided_by_nothing(world: World, client_of: SignIn) -> None:
    unpriced = sku_of("unpriced")
    add_usage(world.acme, DAY, world.rita, None, unpriced, num_model_requests=3, input_tokens=10**6)
    add_cost((world.acme, DAY, unpriced), LineItem.INPUT, 10**6, None)
    assert 'class="unit-costs"' not in page_of(client_of(world.alice), f"{PAGE}?month=2026-10")


def test_a_value_costs_its_share_of_what_values_cost(world: World) -> None:
    declare(world.acme, "customer", "Customer")
    for number, said in enumerate(({"customer": "a"}, {"customer": "b"}, {})):
        user = (world.rita, world.bob, world.alice)[number]
        event = make_event(id=f"{number}", api_key_id=make_key(user).public_id, input_tokens=10 ** (6 + number))
        assert send([event], make_token(f"{number}")) == ["accepted"]
        say(user, world.acme, None, said)
    roll_up()
    (customer,) = declared_in((world.acme,)).attributes
    day = event["timestamp"].date()
    found = spending(UsageQuery((world.acme.pk,), month_of(day), group=customer))
    of_nobody = sum(row.amount for row in found.parts if row.part == 0)
    assert of_nobody > 0
    assert found.values == Counted(Decimal(2), found.amount - of_nobody)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0.00"),
        ("0.00312499", "$0.00312"),
        ("0.9996", "$1.00"),
        ("0.12", "$0.12"),
        ("-0.000012345", "−$0.0000123"),
        ("1.005", "$1.00"),
        ("1234.5", "$1,234.50"),
    ],
)
def test_small_amounts_have_three_digits(amount: str, text: str) -> None:
    assert small_dollars(Decimal(amount)) == text
