"""`metering.intake.skus`: an organization may bring some new SKUs a day, and known ones are free."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from accounts.clock import database_now
from apikeys.models import APIKey
from metering.intake import skus
from metering.models import Sku, UsageEvent
from tests.engine import make_event, make_key, make_token, num_events, send
from tests.world import World

REFUSED = "too_many_new_skus"
LIMIT = 3


@pytest.fixture(autouse=True)
def few_skus(settings: Settings) -> None:
    settings.NEW_SKUS_PER_DAY = LIMIT


def of_types(key: APIKey, count: int, prefix: str = "event", **fields: Any) -> list[dict[str, Any]]:
    """Events of one model, each with a speed of its own."""
    return [
        make_event(id=f"{prefix}-{n}", api_key_id=key.public_id, **{"speed": f"speed-{n}", **fields})
        for n in range(count)
    ]


def test_skus_above_the_limit_are_refused_and_known_ones_and_neighbours_stored(token: str, world: World) -> None:
    ritas, charlies = make_key(world.rita), make_key(world.charlie)
    events = of_types(ritas, 5)
    neighbour = make_event(id="neighbour", api_key_id=charlies.public_id, model="another")
    assert send([*events, neighbour], token) == [*["accepted"] * LIMIT, REFUSED, REFUSED, "accepted"]
    assert send(events, token) == [*["duplicate"] * LIMIT, REFUSED, REFUSED]
    assert send(of_types(ritas, LIMIT, "again"), token) == ["accepted"] * LIMIT
    assert num_events() == 2 * LIMIT + 1
    assert Sku.objects.count() == LIMIT + 1
    assert set(Sku.objects.values_list("brought_by", flat=True)) == {world.acme.id, world.other.id}


def test_skus_that_the_installation_knows_are_free(token: str, world: World) -> None:
    assert set(send(of_types(make_key(world.charlie), LIMIT), token)) == {"accepted"}
    skus.forget()  # as another process, which knows none of them
    ritas = make_key(world.rita)
    assert set(send(of_types(ritas, LIMIT), token)) == {"accepted"}
    assert send(of_types(ritas, LIMIT + 1, "new", batch=True), token) == [*["accepted"] * LIMIT, REFUSED]


def test_the_next_day_there_is_room_again(token: str, key: APIKey) -> None:
    events = of_types(key, LIMIT + 1)
    assert send(events, token)[-1] == REFUSED
    Sku.objects.update(brought_at=database_now() - timedelta(days=1))
    assert send(events, token) == [*["duplicate"] * LIMIT, "accepted"]


def test_a_sku_of_words_over_a_bound_counts_as_any_other(token: str, key: APIKey, settings: Settings) -> None:
    settings.WORDS_PER_ORGANIZATION = 1
    events = of_types(key, 5)
    assert set(send(events, token)) == {"accepted"}  # of two SKUs: the first speed, and other ones
    more = of_types(key, 3, "more", batch=True)
    assert send(more, token) == ["accepted", REFUSED, REFUSED]
    assert send([*events, *more], token) == ["duplicate"] * 6 + [REFUSED] * 2


@pytest.mark.django_db(transaction=True)
def test_of_two_requests_at_once_the_second_waits_and_counts_the_skus_of_the_first(world: World) -> None:
    token, key = make_token(), make_key(world.rita)
    assert send(make_event(api_key_id=key.public_id), token) == ["accepted"]

    def send_second() -> list[str]:
        try:
            return send(
                [make_event(id="second", api_key_id=key.public_id, batch=True), *of_types(key, 1, "third")], token
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():  # not committed yet
            event = make_event(id="first", api_key_id=key.public_id, input_tokens=300_000)
            assert send(event, token) == ["accepted"]
            second = threads.submit(send_second)
            with pytest.raises(TimeoutError):
                second.result(timeout=1)
        assert second.result(timeout=30) == ["accepted", REFUSED]
    assert (Sku.objects.count(), UsageEvent.objects.count()) == (LIMIT, LIMIT)
