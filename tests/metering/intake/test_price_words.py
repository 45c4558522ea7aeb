"""Provider, speed and region: words of others, which are stored whatever they are and tell usage apart."""

import json
from typing import Any

import pytest
from pytest_django import Settings

from apikeys.models import APIKey
from metering.intake import skus
from metering.models import PriceWord, Sku, UsageEvent
from metering.price_words import DIMENSIONS
from tests.engine import make_event, make_key, make_token, post, send
from tests.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def token() -> str:
    return make_token()


@pytest.fixture
def key(world: World) -> APIKey:
    return make_key(world.rita)


def event(key: APIKey, **fields: object) -> dict[str, Any]:
    return make_event(**{"id": "x-1", "api_key_id": key.public_id, **fields})


def words() -> set[tuple[str, str]]:
    return {(word.get_dimension_display(), word.word) for word in PriceWord.objects.all()}


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_a_word_is_stored_once_whatever_its_capitals(token: str, key: APIKey, dimension: str) -> None:
    assert send(event(key, **{dimension: "Mistral/EU"}), token) == ["accepted"]
    assert send(event(key, **{dimension: "mistral/eu"}), token) == ["duplicate"]
    assert send(event(key, id="x-2", **{dimension: "MISTRAL/EU"}), token) == ["accepted"]
    assert words() == {(dimension, "mistral/eu")}
    assert PriceWord.objects.get().pk == getattr(Sku.objects.get(), dimension) >= 100


def test_the_same_word_for_two_things_is_two_words(token: str, key: APIKey) -> None:
    assert send(event(key, provider="west", region="west"), token) == ["accepted"]
    assert words() == {("provider", "west"), ("region", "west")}
    sku = Sku.objects.get()
    assert len({sku.provider, sku.region, sku.speed}) == 3


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_events_that_differ_in_a_word_are_of_two_skus_and_not_the_same(token: str, key: APIKey, dimension: str) -> None:
    outcomes = send([event(key), event(key, id="x-2", **{dimension: "other"})], token)
    assert outcomes == ["accepted", "accepted"]
    assert UsageEvent.objects.values("sku_id").distinct().count() == 2
    assert send([event(key), event(key, **{dimension: "other"})], token) == ["duplicate", "conflict"]


@pytest.mark.parametrize("ordinary", ["standard", "Default", "normal", "", None])
def test_the_ordinary_speed_is_the_same_as_none(token: str, key: APIKey, ordinary: str | None) -> None:
    assert send(event(key, speed=ordinary), token) == ["accepted"]
    assert send(event(key), token) == ["duplicate"]
    assert not PriceWord.objects.exists()


def test_an_event_of_a_known_provider_is_the_same_by_every_way(token: str, key: APIKey) -> None:
    """The first teaches the process the word; after that events of it take the short way, and a batch both."""
    first = event(key, provider="azure")
    assert send(first, token) == ["accepted"]
    assert ("gpt-4o", None, False, "azure") in skus.plain_parts
    others = [event(key, id=f"x-{number}", provider="azure") for number in (2, 3)]
    assert send([first, *others, event(key, id="x-2", provider="azure", images=0)], token) == [
        "duplicate", "accepted", "accepted", "duplicate",
    ]  # fmt: skip
    skus.forget()
    assert send([first, *others], token) == ["duplicate"] * 3
    assert UsageEvent.objects.values("sku_id").distinct().count() == 1


def test_speed_and_region_are_never_lost_on_the_short_way(token: str, key: APIKey) -> None:
    assert send(event(key), token) == ["accepted"]
    later = [event(key, id="x-2", speed="fast"), event(key, id="x-3", region="us"), event(key, id="x-4")]
    assert send(later, token) == ["accepted"] * 3
    assert sorted((sku.speed > 0, sku.region > 0) for sku in Sku.objects.all()) == [
        (False, False),
        (False, True),
        (True, False),
    ]
    assert UsageEvent.objects.values("sku_id").distinct().count() == 3


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_a_correction_says_the_words_of_its_event(token: str, key: APIKey, dimension: str) -> None:
    correction = {"corrects": "x-1", "num_model_requests": 0, "input_tokens": -1, "output_tokens": 0}
    assert send(event(key, **{dimension: "one"}), token) == ["accepted"]
    assert send(event(key, **correction | {"id": "x-2", dimension: "two"}), token) == ["corrects_other_sku"]
    assert send(event(key, **correction | {"id": "x-2"}), token) == ["corrects_other_sku"]
    assert send(event(key, **correction | {"id": "x-2", dimension: "one"}), token) == ["accepted"]


def test_words_over_the_bound_are_of_other_and_never_refused(token: str, key: APIKey, settings: Settings) -> None:
    settings.MAX_PRICE_WORDS = 2
    for number in range(4):
        assert send(event(key, id=f"x-{number}", provider=f"word-{number}", region="eu"), token) == ["accepted"]
    assert PriceWord.objects.count() == 3  # each dimension has its own bound
    assert Sku.objects.count() == 3


def test_the_sentence_says_what_a_word_is(token: str, key: APIKey) -> None:
    answer = json.loads(post(event(key, provider="x" * 41), token).content)
    assert answer["results"][0]["message"] == "`provider` must be a word of 1 to 40 visible characters."
