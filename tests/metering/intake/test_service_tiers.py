"""Words of providers for service tiers: those that are known are priced, all others are stored, shown, and have no price."""

import json
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from apikeys.models import APIKey
from billing.models import DailyCost, LineItem
from billing.prices import rerating
from billing.prices.rerating import Terms
from metering.models import ServiceTierWord, Sku
from tests.engine import days_ago, make_event, make_key, make_token, post, roll_up, send
from tests.money import ACTOR
from tests.world import World

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]


@pytest.fixture
def token() -> str:
    return make_token()


def use(world: World, token: str, **fields: object) -> list[str]:
    """What became of an event of Rita's one key."""
    key = (APIKey.objects.filter(user=world.rita).first() or make_key(world.rita)).public_id
    tokens = {"input_tokens": 100_000, "output_tokens": 1_000}
    outcomes = send(make_event(**{"id": "x-1", "api_key_id": key, "model": "gpt-5.4", **tokens, **fields}), token)
    roll_up()
    return outcomes


def total() -> Decimal | None:
    """What all usage costs; None if a part of it has no price."""
    amounts = [cost.amount for cost in DailyCost.objects.all()]
    return None if None in amounts else sum((amount or Decimal(0) for amount in amounts), start=Decimal(0))


@pytest.mark.parametrize(
    ("word", "dollars"),
    [
        ("fast", "0.53"),
        ("priority", "0.53"),
        ("batch", "0.1325"),
        ("BATCH", "0.1325"),
        ("on_demand", "0.265"),
        ("ON_DEMAND", "0.265"),
        ("auto", "0.265"),
        ("", "0.265"),
    ],
)
def test_words_that_are_known_have_the_price_of_their_tier(world: World, token: str, word: str, dollars: str) -> None:
    assert use(world, token, service_tier=word) == ["accepted"]
    assert total() == Decimal(dollars)
    assert not ServiceTierWord.objects.exists()


def test_the_tier_of_batches_is_the_batch_setting(world: World, token: str) -> None:
    use(world, token, service_tier="batch")
    assert use(world, token, batch=True) == ["duplicate"]
    assert Sku.objects.get().batch


@pytest.mark.parametrize("word", ["performance", "PROVISIONED_THROUGHPUT", "über-schnell"])
def test_other_words_are_stored_and_shown_and_have_no_price(
    world: World, client_of: SignIn, token: str, word: str
) -> None:
    assert use(world, token, service_tier=word) == ["accepted"]
    assert total() is None
    assert ServiceTierWord.objects.get().word == word
    month = f"{days_ago(1):%Y-%m}"
    page = client_of(world.alice).get(
        "/settings/organization/acme/usage/activity/", {"month": month, "service_tier": word}
    )
    assert "Service tier" in page.content.decode()
    assert word in page.content.decode()
    exported = client_of(world.alice).get(f"/settings/organization/acme/usage/activity/export.csv?month={month}")
    assert f'"{word}"' in b"".join(exported.streaming_content).decode()  # type: ignore[attr-defined]


def test_a_word_is_one_tier_however_often_it_comes(world: World, token: str) -> None:
    use(world, token, service_tier="performance")
    use(world, token, service_tier="performance", id="x-2")
    assert (Sku.objects.count(), ServiceTierWord.objects.count()) == (1, 1)
    assert use(world, token, service_tier="performance") == ["duplicate"]


def test_a_price_of_every_tier_that_staff_set_holds_for_words_too(world: World, token: str) -> None:
    use(world, token, service_tier="performance", output_tokens=0)
    terms = Terms(
        model=Sku.objects.get().model,
        line_item=LineItem.INPUT,
        effective_date=days_ago(10).date(),
        unit_price=Decimal("0.00001"),
    )
    rerating.re_rate(rerating.change_price(terms, actor=ACTOR))
    assert total() == 1


def test_an_event_of_a_word_can_be_corrected(world: World, token: str) -> None:
    use(world, token, service_tier="performance")
    correction = {"id": "x-2", "corrects": "x-1", "input_tokens": -100_000, "output_tokens": 0}
    assert use(world, token, service_tier="performance", num_model_requests=0, **correction) == ["accepted"]
    left = dict(DailyCost.objects.exclude(quantity=0).values_list("line_item", "quantity"))
    assert left == {LineItem.OUTPUT: 1_000}


def test_words_over_the_bound_are_one_tier(world: World, token: str, settings: Settings) -> None:
    settings.MAX_SERVICE_TIER_WORDS = 2
    for number in range(4):
        assert use(world, token, service_tier=f"word-{number}", id=f"x-{number}") == ["accepted"]
    assert ServiceTierWord.objects.count() == 2
    assert Sku.objects.count() == 3


@pytest.mark.parametrize("word", ["x" * 41, " ", "two\nlines", "\x00"])
def test_what_is_no_word_is_refused(world: World, token: str, word: str) -> None:
    assert use(world, token, service_tier=word) == ["invalid_service_tier"]


def test_the_sentence_says_what_a_word_is(world: World, token: str) -> None:
    event = make_event(api_key_id=make_key(world.rita).public_id, service_tier="x" * 41)
    answer = json.loads(post(event, token).content)
    assert answer["results"][0]["message"] == "`service_tier` must be a word of 1 to 40 visible characters."
