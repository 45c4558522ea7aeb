"""`metering.intake.new_models`: an organization may bring some new model names a day, and known ones are free."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.clock import database_now
from apikeys.models import APIKey
from metering.intake import skus
from metering.models import Model, Sku, UsageEvent
from tests.engine import make_event, make_key, make_token, num_events, send
from tests.world import World

REFUSED = "too_many_new_models"


def named(key: APIKey, names: list[str], prefix: str = "event") -> list[dict[str, Any]]:
    return [
        make_event(id=f"{prefix}-{number}", api_key_id=key.public_id, model=name) for number, name in enumerate(names)
    ]


def names(count: int, prefix: str = "model") -> list[str]:
    return [f"{prefix}-{number}" for number in range(count)]


def test_of_ten_thousand_new_names_in_one_request_those_above_the_limit_are_refused_and_neighbours_stored(
    token: str, world: World, settings: Any
) -> None:
    ritas, charlies = make_key(world.rita), make_key(world.charlie)
    assert send(make_event(id="first", api_key_id=ritas.public_id), token) == ["accepted"]
    flood = named(ritas, names(9_996))
    neighbours = [
        make_event(id="known", api_key_id=ritas.public_id),
        make_event(id="other", api_key_id=charlies.public_id, model="new-elsewhere"),
    ]
    outcomes = send([neighbours[0], *flood, neighbours[1]], token)
    assert (outcomes[0], outcomes[-1]) == ("accepted", "accepted")
    allowed = settings.NEW_MODELS_PER_DAY - 1
    assert outcomes[1:-1] == ["accepted"] * allowed + [REFUSED] * (len(flood) - allowed)
    assert Model.objects.count() == settings.NEW_MODELS_PER_DAY + 1
    assert num_events() == settings.NEW_MODELS_PER_DAY + 2


def test_a_customer_with_five_hundred_models_is_not_held_up(token: str, key: APIKey) -> None:
    events = named(key, names(500)) + named(key, names(500), prefix="again")
    assert Counter(send(events, token)) == {"accepted": 1_000}


def test_names_that_the_installation_knows_are_free(token: str, world: World, settings: Any) -> None:
    settings.NEW_MODELS_PER_DAY = 3
    Model.objects.bulk_create(Model(name=name) for name in names(5, "of-staff"))
    assert set(send(named(make_key(world.charlie), names(3)), token)) == {"accepted"}
    skus.forget()  # as another process, which knows none of them
    ritas = make_key(world.rita)
    known = [*names(3), *names(5, "of-staff")]
    assert set(send(named(ritas, known), token)) == {"accepted"}
    new = named(ritas, names(4, "new"), prefix="new")
    assert send(new, token) == [*["accepted"] * 3, REFUSED]


def test_another_tier_or_size_of_a_known_model_is_free(token: str, key: APIKey, settings: Any) -> None:
    settings.NEW_MODELS_PER_DAY = 1
    changes: list[dict[str, Any]] = [{}, {"service_tier": "flex"}, {"batch": True}, {"input_tokens": 300_000}]
    events = [make_event(id=f"event-{n}", api_key_id=key.public_id, **change) for n, change in enumerate(changes)]
    assert set(send(events, token)) == {"accepted"}
    assert (Model.objects.count(), Sku.objects.count()) == (1, 4)


def test_the_next_day_there_is_room_again(token: str, key: APIKey, settings: Any) -> None:
    settings.NEW_MODELS_PER_DAY = 2
    events = named(key, names(3))
    assert send(events, token) == ["accepted", "accepted", REFUSED]
    assert send(events, token) == ["duplicate", "duplicate", REFUSED]
    Model.objects.update(created_at=database_now() - timedelta(days=1))
    assert send(events, token) == ["duplicate", "duplicate", "accepted"]


def test_the_limit_is_of_the_organization_where_the_usage_counts(token: str, world: World, settings: Any) -> None:
    settings.NEW_MODELS_PER_DAY = 2
    first, second, other = make_key(world.rita), make_key(world.bob), make_key(world.charlie)
    assert send(named(first, names(2)), token) == ["accepted", "accepted"]
    assert send(named(second, names(2, "bobs"), prefix="bobs"), token) == [REFUSED, REFUSED]
    assert send(named(other, names(2, "charlies")), token) == ["accepted", "accepted"]
    assert set(Model.objects.values_list("organization_id", flat=True)) == {world.acme.id, world.other.id}


def test_refused_events_leave_no_name_behind(token: str, key: APIKey) -> None:
    events = [
        make_event(id="a", api_key_id="key_unknown", model="a"),
        make_event(id="b", api_key_id=key.public_id, model="b", organization="org_unknown"),
        make_event(id="c", api_key_id=key.public_id, model="c", corrects="nothing"),
    ]
    assert send(events, token) == ["unknown_api_key", "not_a_member", "corrected_event_unknown"]
    assert not Model.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_requests_at_once_the_second_waits_and_counts_the_names_of_the_first(
    world: World, settings: Any
) -> None:
    settings.NEW_MODELS_PER_DAY = 5
    token, key = make_token(), make_key(world.rita)
    assert send(named(key, names(1)), token) == ["accepted"]

    def send_second() -> list[str]:
        try:
            return send(named(key, names(3, "second"), prefix="second"), token)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():  # not committed yet
            assert send(named(key, names(3, "first"), prefix="first"), token) == ["accepted"] * 3
            second = threads.submit(send_second)
            with pytest.raises(TimeoutError):
                second.result(timeout=1)
        assert second.result(timeout=30) == ["accepted", REFUSED, REFUSED]
    assert (Model.objects.count(), UsageEvent.objects.count()) == (5, 5)
