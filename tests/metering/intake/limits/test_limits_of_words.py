"""Words over a bound: however many come, the process remembers those that are stored, and counts all others as “other”; and no
organization takes the room of the others."""

import time
from collections import Counter
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from genai_prices.data_snapshot import get_snapshot
from pytest_django import Settings

from apikeys.models import APIKey
from metering import price_words, service_tiers
from metering.dictionaries import providers
from metering.intake import skus
from metering.models import PriceWord, ServiceTierWord, Sku
from metering.price_words import DIMENSIONS, Dimension
from tests.engine import make_event, make_key, num_events, send
from tests.world import World

pytestmark = pytest.mark.django_db
BOUND = 2


@pytest.fixture(autouse=True)
def few_words(settings: Settings) -> None:
    settings.MAX_SERVICE_TIER_WORDS = settings.MAX_PRICE_WORDS = BOUND


def of_words(key: APIKey, count: int, *names: str) -> list[dict[str, Any]]:
    """Events of which each says words of its own."""
    return [
        make_event(id=f"event-{n}", api_key_id=key.public_id, **{name: f"{name}-{n:04}" for name in names})
        for n in range(count)
    ]


def test_tiers_and_providers_over_the_bound_are_not_remembered_with_each_other(token: str, key: APIKey) -> None:
    events = of_words(key, 100, "service_tier", "provider")
    assert set(send(events, token)) == {"accepted"}
    assert len(skus.plain_parts) == BOUND  # each tier that is stored came with one provider that is
    assert Sku.objects.count() == BOUND + 1
    assert set(send(events, token)) == {"duplicate"}
    assert num_events() == 100


@pytest.mark.parametrize("name", ["service_tier", "provider", "speed", "region"])
def test_of_a_flood_of_words_those_that_are_stored_are_remembered(token: str, key: APIKey, name: str) -> None:
    assert set(send(of_words(key, 100, name), token)) == {"accepted"}
    known = {"service_tier": service_tiers.STORED} | {one.label: price_words.STORED[one] for one in Dimension}
    assert [len(words) for words in known.values()] == [BOUND * (one == name) for one in known]
    assert len(skus.plain_parts) <= BOUND * 5  # ways to say the default tier


def test_when_all_are_stored_that_may_be_nothing_is_asked_about_another_word(token: str, key: APIKey) -> None:
    send(of_words(key, 3, "service_tier", "region"), token)
    with CaptureQueriesContext(connection) as asked:
        service_tiers.add({"yet another": {key.pk}})
        price_words.add({(Dimension.REGION, "yet another"): {key.pk}})
    assert len(asked) == 0
    assert service_tiers.number_of("yet another") == service_tiers.OTHER
    assert price_words.number_of(Dimension.REGION, "yet another") == price_words.OTHER


def test_words_that_other_processes_stored_are_never_taken_for_others(token: str, key: APIKey) -> None:
    """This process knows none of them when it hears that there is no room."""
    ServiceTierWord.objects.bulk_create(ServiceTierWord(word=f"tier-{n}") for n in range(BOUND))
    PriceWord.objects.bulk_create(PriceWord(dimension=Dimension.SPEED, word=f"speed-{n}") for n in range(BOUND))
    send(of_words(key, 1, "service_tier", "speed"), token)
    events = [
        make_event(id=f"known-{n}", api_key_id=key.public_id, service_tier=f"tier-{n}", speed=f"speed-{n}")
        for n in range(BOUND)
    ]
    assert set(send(events, token)) == {"accepted"}
    stored = set(ServiceTierWord.objects.values_list("pk", flat=True))
    speeds = set(PriceWord.objects.values_list("pk", flat=True))
    assert set(Sku.objects.values_list("service_tier", flat=True)) == stored | {service_tiers.OTHER}
    assert set(Sku.objects.values_list("speed", flat=True)) == speeds | {price_words.OTHER}


def test_an_organization_brings_as_many_words_of_each_kind_as_it_may_and_others_have_room(
    token: str, key: APIKey, world: World, settings: Settings
) -> None:
    settings.MAX_SERVICE_TIER_WORDS = settings.MAX_PRICE_WORDS = 6
    settings.WORDS_PER_ORGANIZATION = 2
    names = ("service_tier", *DIMENSIONS)
    flood = of_words(key, 20, *names)
    assert set(send(flood, token)) == {"accepted"}
    charlies = make_key(world.charlie)
    words = {name: f"charlies-{name}" for name in names}
    assert send(make_event(id="charlies", api_key_id=charlies.public_id, **words), token) == ["accepted"]
    for rows in (ServiceTierWord.objects.all(), *(PriceWord.objects.filter(dimension=one) for one in Dimension)):
        brought = Counter(rows.values_list("brought_by", flat=True))
        assert brought == {world.acme.id: 2, world.other.id: 1}
    assert not {99} & set(Sku.objects.order_by("-id").values_list("service_tier", *DIMENSIONS)[0])
    assert set(send(flood, token)) == {"duplicate"}


def test_words_that_others_brought_are_free(token: str, key: APIKey, world: World, settings: Settings) -> None:
    settings.MAX_PRICE_WORDS, settings.WORDS_PER_ORGANIZATION = 6, 1
    charlies = make_event(id="charlies", api_key_id=make_key(world.charlie).public_id, region="theirs")
    assert send(charlies, token) == ["accepted"]
    skus.forget()  # as another process, which knows none of them
    events = [make_event(id=word, api_key_id=key.public_id, region=word) for word in ("ours", "theirs", "too-much")]
    assert set(send(events, token)) == {"accepted"}
    assert set(PriceWord.objects.values_list("word", flat=True)) == {"ours", "theirs"}
    assert Sku.objects.filter(region=price_words.OTHER).count() == 1
    assert set(send([charlies, *events], token)) == {"duplicate"}


def test_providers_of_the_price_list_have_places_that_nobody_can_take(token: str, key: APIKey, world: World) -> None:
    assert set(send(of_words(key, 50, "provider"), token)) == {"accepted"}
    known = ["openai", "azure", "aws", "Bedrock", "vertex_ai", "novita"]
    charlies = make_key(world.charlie).public_id
    events = [make_event(id=provider, api_key_id=charlies, provider=provider) for provider in known]
    assert set(send(events, token)) == {"accepted"}
    stored = PriceWord.objects.filter(word__in=[provider.lower() for provider in known])
    assert set(stored.values_list("id", flat=True)) <= set(Sku.objects.values_list("provider", flat=True))
    assert stored.count() == len(known)
    assert PriceWord.objects.count() == len(known) + BOUND
    assert set(send(events, token)) == {"duplicate"}


def test_every_provider_that_other_names_stand_for_is_one_of_the_price_list() -> None:
    assert set(providers.PROVIDERS.values()) <= {provider.id for provider in get_snapshot().providers}


def test_what_was_stored_without_its_word_can_be_corrected_when_the_word_has_a_number(
    token: str, key: APIKey, world: World, settings: Settings
) -> None:
    settings.WORDS_PER_ORGANIZATION = 0
    words = {"service_tier": "late-tier", **{name: f"late-{name}" for name in DIMENSIONS}}
    first = make_event(id="first", api_key_id=key.public_id, **words)
    change = {"corrects": "first", "num_model_requests": 0, "input_tokens": -1, "output_tokens": 0}
    correction = {**first, **change, "id": "second"}
    assert send([first, {**correction, "id": "at-once"}], token) == ["accepted", "accepted"]
    settings.WORDS_PER_ORGANIZATION = 1
    assert send(make_event(id="charlies", api_key_id=make_key(world.charlie).public_id, **words), token) == ["accepted"]
    assert send({**correction, "batch": True}, token) == ["corrects_other_sku"]
    assert send({**correction, "region": None}, token) == ["corrects_other_sku"]
    assert send(correction, token) == ["accepted"]
    assert send(correction, token) == ["duplicate"]


def asks_for_words(event: dict[str, Any], token: str) -> int:
    """How many statements about words it takes to accept the event."""
    with CaptureQueriesContext(connection) as asked:
        assert send(event, token) == ["accepted"]
    return sum("metering_priceword" in one["sql"] or "metering_servicetierword" in one["sql"] for one in asked)


@pytest.mark.parametrize("name", ["service_tier", "provider", "speed", "region"])
def test_a_word_over_the_share_is_not_asked_for_by_each_request(
    token: str, key: APIKey, world: World, settings: Settings, name: str
) -> None:
    settings.WORDS_PER_ORGANIZATION = 0
    events = [make_event(id=str(n), api_key_id=key.public_id, **{name: "theirs"}) for n in range(3)]
    assert asks_for_words(events[0], token) > 0
    assert asks_for_words(events[1], token) == 0
    assert asks_for_words({**events[2], "model": "another"}, token) > 0
    assert set(send(events[:2], token)) == {"duplicate"}
    assert Sku.objects.filter(**{name: price_words.OTHER}).count() == 2
    settings.WORDS_PER_ORGANIZATION = 1
    charlies = make_event(id="charlies", api_key_id=make_key(world.charlie).public_id, **{name: "theirs"})
    assert send(charlies, token) == ["accepted"]
    assert Sku.objects.exclude(**{name: price_words.OTHER}).count() == 1


def test_a_word_is_accepted_when_the_share_has_grown(
    token: str, key: APIKey, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skus.over_share, "seconds", 0.01)
    settings.WORDS_PER_ORGANIZATION = 0
    events = [make_event(id=str(n), api_key_id=key.public_id, region="moon") for n in range(2)]
    assert send(events[0], token) == ["accepted"]
    settings.WORDS_PER_ORGANIZATION = 1
    time.sleep(0.02)
    assert send(events[1], token) == ["accepted"]
    assert PriceWord.objects.filter(word="moon").exists()


def test_who_sends_millions_of_words_fills_a_bounded_place_of_their_own(
    token: str, key: APIKey, world: World, settings: Settings
) -> None:
    settings.WORDS_PER_ORGANIZATION = 0
    most = skus.over_share.most_each
    assert set(send(of_words(key, most + 50, "region"), token)) == {"accepted"}
    assert len(skus.over_share) == most
    charlies = make_key(world.charlie).public_id
    events = [make_event(id=str(n), api_key_id=charlies, region="moon") for n in range(2)]
    assert asks_for_words(events[0], token) > 0
    assert asks_for_words(events[1], token) == 0
