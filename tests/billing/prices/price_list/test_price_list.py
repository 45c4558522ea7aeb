"""Which entry of the default price list a model's name means: by its own id, by who sells it, or none until staff say so."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from billing.models import DailyCost, Price
from billing.prices import book, price_list
from tests.engine import make_event, make_key, make_token, roll_up, send
from tests.world import World

MILLION = 1_000_000


def cost_of(world: World, **fields: object) -> Decimal | None:
    """What one event costs; None if a part of it has no price. Sent with an ingest token, as gateways do."""
    event = {"id": "x-1", "input_tokens": None, "output_tokens": None, **fields}
    assert send(make_event(api_key_id=make_key(world.rita).public_id, **event), make_token()) == ["accepted"]
    roll_up()
    amounts = [cost.amount for cost in DailyCost.objects.all()]
    assert amounts
    return None if None in amounts else sum((amount or Decimal(0) for amount in amounts), start=Decimal(0))


def test_every_entry_is_found_by_its_id_and_seller_and_most_by_their_id_alone() -> None:
    entries = list(price_list.entries())
    by_both = sum(book.find(model.id, provider.id) == (provider, model) for provider, model in entries)
    by_id = sum((book.find(model.id) or (None, None))[1] is model for _, model in entries)
    assert by_both == len(entries)
    assert by_id > 0.65 * len(entries)  # the others have ids that several sellers use, or a maker's own name


def entries_without_a_meaning() -> Iterator[tuple[str, int]]:
    """Ids that mean no entry, and how many different prices there are for them."""
    for _, model in price_list.entries():
        if book.find(model.id) is None:
            listings = [book.listing_of(entry) for entry in price_list.possible(model.id)]
            yield model.id, len({listing.prices for listing in listings if listing.prices})


def test_an_id_means_no_entry_only_where_sellers_differ_or_nothing_has_a_price() -> None:
    assert 1 not in {number for _, number in entries_without_a_meaning()}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("model", "dollars"),
    [
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "1.65"),
        ("bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0", "1.65"),
        ("openai/gpt-4o", "3.50"),
        ("azure/gpt-4o", "3.50"),
        ("llama-3.1-8b-instant", "0.058"),
        ("groq/llama-3.1-8b-instant", "0.058"),
        ("sonar-pro", "4.514"),  # $14 for 1,000 requests
        ("openai/gpt-oss-20b:free", "0"),
        ("anthropic/claude-opus-4.5", "7.50"),
    ],
)
def test_names_with_a_seller_or_a_region_are_priced_by_the_list(world: World, model: str, dollars: str) -> None:
    assert cost_of(world, model=model, input_tokens=MILLION, output_tokens=100_000) == Decimal(dollars)


@pytest.mark.django_db
def test_a_name_that_several_sell_differently_and_that_says_none_of_them_has_no_price(world: World) -> None:
    assert cost_of(world, model="openai/gpt-oss-120b", input_tokens=MILLION, output_tokens=100_000) is None
    assert not Price.objects.exists()
    assert {"groq", "openrouter", "together"} <= {
        listing.provider for listing in book.candidates("openai/gpt-oss-120b")
    }
    assert book.candidates("gpt-4o") == []
    assert book.candidates("nobody-knows") == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("model", "input_tokens", "output_tokens", "dollars"),
    [
        ("gemini-2.5-flash-image", 20, 1_290, "0.038706"),
        ("gemini-3-pro-image-preview", 20, 1_120, "0.13444"),
        ("gpt-image-1.5", 50, 1_056, "0.034042"),
    ],
)
def test_the_output_of_image_requests_costs_what_images_cost(
    world: World, model: str, input_tokens: int, output_tokens: int, dollars: str
) -> None:
    cost = cost_of(world, usage_type="images", model=model, input_tokens=input_tokens, output_tokens=output_tokens)
    assert cost == Decimal(dollars)


@pytest.mark.django_db
def test_the_text_that_an_image_model_writes_costs_what_text_costs(world: World) -> None:
    cost = cost_of(world, model="gemini-2.5-flash-image", input_tokens=20, output_tokens=1_290)
    assert cost == Decimal("0.003231")
