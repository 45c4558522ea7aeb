"""However many values and combinations arrive, what is kept of them is bounded, every event counts, and totals are right."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.periods import month_of
from apikeys.models import APIKey
from metering.attribution_models import (
    OTHER,
    AttributeValue,
    AttributeValueMonth,
    Attribution,
)
from metering.attributions import adopt, memory
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.usage.what_for import OTHERS, carry, declare, make_project, num_requests, requests_by
from tests.world import World


@pytest.fixture
def token(db: None) -> str:
    return make_token()


@pytest.fixture
def key(world: World) -> APIKey:
    return make_key(world.rita)


def events_with(key: APIKey, *said: dict[str, str], start: int = 0) -> list[dict[str, Any]]:
    return [
        make_event(id=f"event-{place}", api_key_id=key.public_id, attributes=one)
        for place, one in enumerate(said, start=start)
    ]


@contextmanager
def queries_of_dictionaries() -> Iterator[list[str]]:
    """The statements about values and combinations in the block."""
    found: list[str] = []
    with CaptureQueriesContext(connection) as context:
        yield found
    found += [query["sql"] for query in context.captured_queries if "metering_attribut" in query["sql"]]


def test_values_over_the_bound_count_as_others(world: World, token: str, key: APIKey, settings: Settings) -> None:
    settings.ATTRIBUTE_VALUES_PER_MONTH = 20
    customer, team = declare(world.acme, "end_customer", "team")
    for start in range(0, 2_000, 500):
        said = [{"end_customer": f"customer {number}", "team": "Red"} for number in range(start, start + 500)]
        with queries_of_dictionaries() as queries:
            assert set(send(events_with(key, *said, start=start), token)) == {"accepted"}
        assert len(queries) <= (12 if start == 0 else 0)
    roll_up()
    found = requests_by(customer, world.acme)
    assert found == {f"customer {number}": 1 for number in range(20)} | {OTHERS: 1_980}
    assert requests_by(team, world.acme) == {"Red": 2_000}
    assert AttributeValue.objects.count() == 21
    assert Attribution.objects.count() == 21


def test_a_value_that_is_known_this_month_is_told_apart_also_when_the_name_is_full(
    world: World, token: str, key: APIKey, settings: Settings
) -> None:
    settings.ATTRIBUTE_VALUES_PER_MONTH = 2
    (team,) = declare(world.acme, "team")
    said = [{"team": text} for text in ("Red", "Blue", "Green", "Blue", "Green", "Red")]
    send(events_with(key, *said), token)
    memory.forget()
    send(events_with(key, *said, start=10), token)
    roll_up()
    assert requests_by(team, world.acme) == {"Red": 4, "Blue": 4, OTHERS: 4}


def test_each_month_of_arrival_has_its_own_values(world: World, token: str, key: APIKey, settings: Settings) -> None:
    settings.ATTRIBUTE_VALUES_PER_MONTH = 1
    (team,) = declare(world.acme, "team")
    send(events_with(key, {"team": "Red"}, {"team": "Blue"}), token)
    AttributeValueMonth.objects.update(month="2020-01-01")
    memory.forget()
    send(events_with(key, {"team": "Blue"}, {"team": "Red"}, start=10), token)
    roll_up()
    assert requests_by(team, world.acme) == {"Red": 1, "Blue": 1, OTHERS: 2}


def test_one_organization_does_not_use_up_what_another_may_have(world: World, token: str, settings: Settings) -> None:
    settings.ATTRIBUTE_VALUES_PER_MONTH = settings.NEW_ATTRIBUTIONS_PER_MONTH = 1
    teams = [declare(organization, "team")[0] for organization in (world.acme, world.other)]
    for place, user in enumerate((world.rita, world.charlie)):
        key = make_key(user)
        send(events_with(key, {"team": "Red"}, {"team": "Blue"}, start=10 * place), token)
    roll_up()
    assert requests_by(teams[0], world.acme) == requests_by(teams[1], world.other) == {"Red": 1, OTHERS: 1}


def test_combinations_over_the_bound_are_of_others_and_keep_their_project(
    world: World, token: str, key: APIKey, settings: Settings
) -> None:
    settings.NEW_ATTRIBUTIONS_PER_MONTH = 3
    team, feature = declare(world.acme, "team", "feature")
    project = make_project(world.acme)
    said = [{"team": f"T{number % 4}", "feature": f"F{number // 4}"} for number in range(16)]
    events = [event | {"project": project.public_id} for event in events_with(key, *said)]
    assert set(send(events, token)) == {"accepted"}
    for start in (100, 200):
        if start == 200:
            memory.forget()
        again = [event | {"id": f"again-{start}-{place}"} for place, event in enumerate(events)]
        with queries_of_dictionaries() as queries:
            send(again, token)
        assert len(queries) <= (14 if start == 200 else 0)
    roll_up()
    assert requests_by(None, world.acme) == {"Search": 48}
    assert requests_by(team, world.acme) == {"T0": 3, "T1": 3, "T2": 3, OTHERS: 39}
    assert requests_by(feature, world.acme) == {"F0": 9, OTHERS: 39}
    assert Attribution.objects.count() == 4


def test_what_keys_carry_is_bounded_too(world: World, token: str, settings: Settings) -> None:
    settings.ATTRIBUTE_VALUES_PER_MONTH = 1
    (team,) = declare(world.acme, "team")
    keys = [make_key(world.rita, f"Key {number}") for number in range(3)]
    for number, key in enumerate(keys):
        carry(key, world.acme, since=days_ago(5), team=f"T{number}")
    events = [make_event(id=f"e-{number}", api_key_id=key.public_id) for number, key in enumerate(keys * 2)]
    assert set(send(events, token)) == {"accepted"}
    roll_up()
    assert requests_by(team, world.acme) == {"T0": 2, OTHERS: 4}
    assert num_requests(world.acme) == 6


@pytest.mark.django_db(transaction=True)
def test_processes_that_add_the_same_things_at_once_agree(world: World, settings: Settings) -> None:
    """Threads with a memory each stand for processes."""
    settings.ATTRIBUTE_VALUES_PER_MONTH = 30
    settings.NEW_ATTRIBUTIONS_PER_MONTH = 40
    team, feature = declare(world.acme, "team", "feature")
    month = month_of(days_ago(0).date()).start
    found: list[dict[str, int | None]] = []

    def add(first: int) -> None:
        own = memory.Memory(month)
        try:
            for number in range(first, first + 60, 5):
                wanted = [
                    (world.acme.pk, 0, ((team.pk, f"T{one % 50}"), (feature.pk, f"F{one % 7}")))
                    for one in range(number, number + 5)
                ]
                adopt.learn(own, wanted)
                assert all(own.id_of(*one) is not None for one in wanted)
            found.append(dict(own.values[team.pk]))
        finally:
            connection.close()

    threads = [threading.Thread(target=add, args=[first]) for first in (0, 0, 20, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(threads)
    assert AttributeValueMonth.objects.filter(attribute_id=team.pk, month=month).count() == 30
    assert len({value_id for of_one in found for value_id in of_one.values()}) == 30
    full = [parts for parts in Attribution.objects.values_list("parts", flat=True) if parts.count(OTHER) < 2]
    assert len(full) == 40
