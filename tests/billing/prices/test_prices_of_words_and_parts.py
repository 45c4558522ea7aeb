"""Prices for a provider, a speed or a region, and of parts of usage that a price of the whole holds for until they have one."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from html import unescape
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from billing.models import DailyCost, LineItem, Price
from billing.prices import rerating
from billing.prices.rerating import Terms
from metering import price_words
from metering.dictionaries.shares import NOBODYS
from metering.models import Model
from metering.price_words import Dimension
from tests.engine import make_event, make_key, make_token, num_events, roll_up, send
from tests.money import ACTOR
from tests.world import World

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
MILLION = 1_000_000
LONG_AGO = date(2026, 1, 1)
WRITTEN = {"input_tokens": MILLION, "input_cache_write_tokens": MILLION, "input_cache_write_long_tokens": MILLION}


def number_of(name: str, word: str) -> int:
    dimension = Dimension[name.upper()]
    price_words.add({(dimension, word): NOBODYS})
    number = price_words.number_of(dimension, word)
    assert number is not None
    return number


def set_price(model: str, per_million: str | None, line_item: LineItem = LineItem.INPUT, **words: str) -> int:
    """As staff do; returns how many days were rated again."""
    numbers: dict[str, Any] = {name: number_of(name, word) for name, word in words.items()}
    terms = Terms(
        model=Model.objects.filter(name=model).first() or Model(name=model),
        line_item=line_item,
        effective_date=LONG_AGO,
        unit_price=None if per_million is None else Decimal(per_million) / MILLION,
        **numbers,
    )
    return rerating.re_rate(rerating.change_price(terms, actor=ACTOR))


def use(world: World, model: str, **fields: Any) -> None:
    event = {"output_tokens": None, "input_tokens": MILLION, **fields, "id": f"x-{num_events()}", "model": model}
    assert send(make_event(api_key_id=make_key(world.rita).public_id, **event), make_token(f"g{num_events()}")) == [
        "accepted"
    ]
    roll_up()


def costs() -> dict[LineItem, Decimal | None]:
    """The amounts of what was used, by line item."""
    rows = DailyCost.objects.exclude(quantity=0).order_by("sku_id")
    return {LineItem(row.line_item): row.amount for row in rows}


@pytest.mark.parametrize(
    ("said", "dollars"),
    [
        ({}, "1"),
        ({"provider": "other"}, "1"),
        ({"provider": "azure"}, "2"),
        ({"provider": "Azure", "region": "us"}, "2"),
        ({"provider": "azure", "region": "eu"}, "3"),
        ({"region": "eu"}, "5"),
        ({"speed": "turbo"}, "4"),
        ({"speed": "turbo", "region": "eu"}, "4"),  # speed before region
        ({"speed": "turbo", "provider": "azure"}, "2"),  # provider first
        ({"speed": "standard"}, "1"),
    ],
)
def test_the_price_of_the_most_special_words_holds(world: World, said: dict[str, str], dollars: str) -> None:
    set_price("m", "1")
    set_price("m", "2", provider="azure")
    set_price("m", "3", provider="azure", region="eu")
    set_price("m", "4", speed="turbo")
    set_price("m", "5", region="eu")
    use(world, "m", **said)
    assert costs() == {LineItem.INPUT: Decimal(dollars)}


def test_what_staff_set_for_everything_is_not_undercut_by_the_price_at_a_provider(world: World) -> None:
    use(world, "openai/gpt-oss-120b", provider="groq")
    assert costs() == {LineItem.INPUT: Decimal("0.15")}
    assert set_price("openai/gpt-oss-120b", "9") == 1
    assert costs() == {LineItem.INPUT: Decimal(9)}


@pytest.mark.parametrize(
    ("whole", "part", "usage"),
    [
        (LineItem.CACHE_WRITE, LineItem.LONG_CACHE_WRITE, WRITTEN),
        (LineItem.INPUT, LineItem.IMAGE_INPUT, {"input_image_tokens": MILLION}),
        (LineItem.INPUT, LineItem.VIDEO_INPUT, {"input_video_tokens": MILLION}),
        (
            LineItem.OUTPUT,
            LineItem.IMAGE_OUTPUT,
            {"input_tokens": 0, "output_tokens": MILLION, "output_image_tokens": MILLION},
        ),
    ],
)
def test_a_part_costs_what_the_whole_costs_until_it_has_a_price(
    world: World, whole: LineItem, part: LineItem, usage: dict[str, int]
) -> None:
    use(world, "m", **usage)
    assert costs() == {part: None}  # in sight
    assert set_price("m", "3", whole) == 1  # which rates the part again
    assert costs() == {part: Decimal(3)}
    assert set_price("m", "5", part) == 1
    assert costs() == {part: Decimal(5)}
    assert set_price("m", "7", whole) == 0
    assert costs() == {part: Decimal(5)}


def test_a_price_that_staff_set_for_the_whole_comes_before_the_lists_price_of_the_part(world: World) -> None:
    use(world, "claude-haiku-4-5", **WRITTEN)
    assert costs() == {LineItem.LONG_CACHE_WRITE: Decimal(2)}
    set_price("claude-haiku-4-5", "0.5", LineItem.CACHE_WRITE)
    assert costs() == {LineItem.LONG_CACHE_WRITE: Decimal("0.5")}


def test_a_book_from_before_these_parts_costs_as_before_until_it_is_brought_up_to_the_list(world: World) -> None:
    use(world, "claude-haiku-4-5", input_tokens=1)
    new = [LineItem.LONG_CACHE_WRITE, LineItem.IMAGE_INPUT, LineItem.VIDEO_INPUT, LineItem.IMAGE_OUTPUT]
    Price.objects.filter(line_item__in=new).delete()
    use(world, "claude-haiku-4-5", **WRITTEN)
    assert costs()[LineItem.LONG_CACHE_WRITE] == Decimal("1.25")
    call_command("sync_prices", "--apply", stdout=StringIO())
    rerating.re_rate_waiting()
    assert costs()[LineItem.LONG_CACHE_WRITE] == Decimal(2)
    out = StringIO()
    call_command("sync_prices", stdout=out)
    assert out.getvalue().startswith("0 differences")


def test_the_list_is_compared_at_each_provider_that_events_named(world: World) -> None:
    use(world, "openai/gpt-oss-120b", provider="groq")
    row = Price.objects.get(model__name="openai/gpt-oss-120b", line_item=LineItem.INPUT, batch=None)
    Price.objects.filter(pk=row.pk).update(unit_price=0)
    out = StringIO()
    call_command("sync_prices", "--apply", stdout=out)
    assert "openai/gpt-oss-120b, input, provider groq from" in out.getvalue()
    row.refresh_from_db()
    assert row.unit_price == Decimal("0.15") / MILLION


def test_staff_set_a_price_for_a_provider_on_the_page(world: World, client_of: SignIn) -> None:
    User.objects.filter(pk=world.charlie.pk).update(is_staff=True, is_superuser=True)
    staff, azure = client_of(world.charlie), number_of("provider", "azure")
    use(world, "m", provider="azure")
    use(world, "m")
    sent = {"model": "m", "line_item": "1", "context_band": "0", "effective_date": "2026-01-01", "amount": "2"}
    sent |= {"provider": str(azure)}
    assert "provider azure" in staff.post("/settings/prices/change/", sent).content.decode()
    staff.post("/settings/prices/change/", sent | {"confirm": "yes"})
    rerating.re_rate_waiting()
    assert set(DailyCost.objects.values_list("amount", flat=True)) == {Decimal(2), None}
    listed = unescape(staff.get("/settings/prices/").content.decode())
    assert "provider azure" in listed
    address = listed.split(">Correct</a>")[0].rpartition('href="')[2].partition('"')[0]
    assert f"provider={azure}" in address
    assert staff.get(address).context["form"]["provider"].value() == str(azure)
