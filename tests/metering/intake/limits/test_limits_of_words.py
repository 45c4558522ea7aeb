"""Words over the bound: however many come, the process remembers those that are stored, and counts all others as “other”."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from apikeys.models import APIKey
from metering import price_words, service_tiers
from metering.intake import skus
from metering.models import PriceWord, ServiceTierWord, Sku
from metering.price_words import Dimension
from tests.engine import make_event, num_events, send

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
        service_tiers.add(["yet another"])
        price_words.add([(Dimension.REGION, "yet another")])
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
