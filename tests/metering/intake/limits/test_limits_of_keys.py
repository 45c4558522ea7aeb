"""`metering.intake.key_limits`: what an API key may report by itself in a minute, and whether it may at all."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection

from billing.models import DailyCost, LineItem, Price
from metering.intake import key_limits
from metering.intake.key_limits import Purses
from metering.models import KeyMinute, Model, UsageEvent
from tests.engine import make_event, make_key, make_key_and_secret, make_token, num_events, post, roll_up, send
from tests.world import LONG_AGO, World

REFUSED = "key_limit"
MILLION = 1_000_000


@pytest.fixture
def secret(world: World) -> str:
    """Of a key of Rita's."""
    return make_key_and_secret(world.rita)[1]


@pytest.fixture
def one_minute() -> Iterator[time_machine.Traveller]:
    """A minute of this process that lasts as long as the test."""
    with time_machine.travel(1_800_000_000, tick=False) as traveller:
        yield traveller


def many(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [make_event(id=f"event-{number}", **fields) for number in range(count)]


def in_another_process() -> None:
    """What this one remembers is not known there; what is stored is."""
    key_limits.purses.forget()


def test_a_readers_key_cannot_spend_a_million_dollars_in_one_request(world: World, secret: str, settings: Any) -> None:
    """At $600 for a million tokens, the dearest of the price list."""
    model = Model.objects.create(name="dearest")
    Price.objects.create(
        model=model,
        usage_type=1,
        line_item=LineItem.OUTPUT,
        unit_price=Decimal("0.0006"),
        effective_date=LONG_AGO.date(),
    )
    largest = settings.USAGE_EVENT_MAX_MEASURE
    events = many(10_000, model="dearest", input_tokens=0, output_tokens=settings.API_KEY_UNITS_PER_MINUTE // 2)
    outcomes = send([*many(1, model="dearest", output_tokens=largest), *events[1:]], secret)
    assert Counter(outcomes) == {"too_large_for_key": 1, "accepted": 1, REFUSED: 9_998}
    roll_up()
    assert 0 < sum(cost.amount or 0 for cost in DailyCost.objects.all()) <= 60_000
    events = many(10_000, model="dearest", input_tokens=0, output_tokens=2**63 - 1)
    assert set(send(events, secret)) == {"measure_too_large"}


def test_a_colleagues_key_has_a_limit_of_its_own(world: World, secret: str, settings: Any) -> None:
    settings.API_KEY_EVENTS_PER_MINUTE = 10
    assert Counter(send(many(20), secret)) == {"accepted": 10, REFUSED: 10}
    _, colleague = make_key_and_secret(world.bob)
    assert send(make_event(id="colleague"), colleague) == ["accepted"]


def test_ten_thousand_events_of_a_gateway_pass_whatever_the_limits_of_keys_are(
    token: str, world: World, settings: Any
) -> None:
    settings.API_KEY_EVENTS_PER_MINUTE = settings.API_KEY_UNITS_PER_MINUTE = 1
    events = many(10_000, api_key_id=make_key(world.rita).public_id, input_tokens=100_000)
    assert Counter(send(events, token)) == {"accepted": 10_000}


def test_ten_thousand_plain_events_of_a_key_pass(secret: str) -> None:
    assert Counter(send(many(10_000), secret)) == {"accepted": 10_000}


def test_what_is_over_the_limit_is_taken_in_the_next_minute(
    secret: str, settings: Any, one_minute: time_machine.Traveller
) -> None:
    settings.API_KEY_EVENTS_PER_MINUTE = 40
    events = many(60)
    assert Counter(send(events, secret)) == {"accepted": 40, REFUSED: 20}
    assert set(send(events[50:], secret)) == {REFUSED}
    one_minute.shift(60)
    KeyMinute.objects.update(minute=LONG_AGO)
    assert Counter(send(events[40:], secret)) == {"accepted": 20}
    assert num_events() == 60


def test_the_limit_is_of_all_processes_together(secret: str, settings: Any, one_minute: Any) -> None:
    settings.API_KEY_EVENTS_PER_MINUTE = 200
    events = many(400)
    assert set(send(events[:150], secret)) == {"accepted"}
    in_another_process()
    outcomes = Counter(send(events[150:], secret))
    assert 50 <= outcomes["accepted"] <= 50 + 200 // key_limits.SHARES
    in_another_process()
    assert send(events[399:], secret) == ["accepted"]  # of that process's own share
    in_another_process()
    assert Counter(send(events[300:], secret))["accepted"] <= 200 // key_limits.SHARES


def test_few_events_ask_nobody(secret: str, django_assert_max_num_queries: Any) -> None:
    send(make_event(), secret)
    assert not KeyMinute.objects.exists()


def test_a_retry_does_not_count_again(secret: str, settings: Any, one_minute: Any) -> None:
    settings.API_KEY_EVENTS_PER_MINUTE = 100
    events = many(60)
    assert set(send(events, secret)) == {"accepted"}
    for _ in range(3):  # of what fits into the minute's rest
        assert Counter(send(events, secret)) == {"duplicate": 40, REFUSED: 20}
    assert set(send(many(100)[60:], secret)) == {"accepted"}
    assert send(make_event(id="more"), secret) == [REFUSED]


def test_bad_events_keep_their_own_code_and_do_not_count(secret: str, settings: Any, one_minute: Any) -> None:
    settings.API_KEY_EVENTS_PER_MINUTE = 2
    bad = [make_event(id="a", images=1), make_event(id="b", api_key_id="key_unknown")]
    assert send(bad, secret) == ["foreign_measure", "forbidden_api_key"]
    assert send([make_event(id="c"), make_event(id=""), make_event(id="d")], secret) == [
        "accepted",
        "invalid_id",
        REFUSED,
    ]
    assert send([make_event(id="d"), make_event(id="e")], secret) == ["accepted", REFUSED]


@pytest.mark.parametrize(
    ("fields", "units"),
    [
        ({"input_tokens": 5_000, "output_tokens": 7}, 6_007),
        ({"num_model_requests": 3, "input_tokens": 1}, 3_021),
        ({"usage_type": "images", "images": 2, "input_tokens": None, "output_tokens": None}, 3_000),
        ({"usage_type": "audio_speeches", "characters": 9, "input_tokens": None, "output_tokens": None}, 1_009),
        ({"usage_type": "audio_transcriptions", "seconds": 4, "input_tokens": None, "output_tokens": None}, 5_000),
        (
            {"usage_type": "vector_stores", "usage_bytes": 3 * MILLION, "input_tokens": None, "output_tokens": None},
            1_003,
        ),
        (
            {
                "usage_type": "code_interpreter_sessions",
                "num_sessions": 2,
                "input_tokens": None,
                "output_tokens": None,
            },
            3_000,
        ),
    ],
    ids=repr,
)
def test_each_measure_counts_its_units(secret: str, settings: Any, fields: dict[str, Any], units: int) -> None:
    settings.API_KEY_UNITS_PER_MINUTE = units - 1
    assert send(make_event(**fields), secret) == ["too_large_for_key"]
    assert send(many(2, **fields), secret) == ["too_large_for_key"] * 2
    settings.API_KEY_UNITS_PER_MINUTE = units
    in_another_process()
    KeyMinute.objects.all().delete()
    assert send(make_event(**fields), secret) == ["accepted"]


def test_without_limits_the_largest_events_pass(secret: str, settings: Any) -> None:
    settings.API_KEY_EVENTS_PER_MINUTE = settings.API_KEY_UNITS_PER_MINUTE = 0
    assert set(send(many(1_000, output_tokens=10**12, num_model_requests=1_000), secret)) == {"accepted"}


@pytest.mark.django_db(transaction=True)
def test_senders_at_once_do_not_get_more_than_the_limit(world: World, settings: Any) -> None:
    settings.API_KEY_EVENTS_PER_MINUTE = 100
    _, secret = make_key_and_secret(world.rita)
    start_together = threading.Barrier(4)

    def send_all(number: int) -> list[str]:
        events = [make_event(id=f"{number}-{place}") for place in range(50)]
        start_together.wait()
        try:
            return [outcome for event in events for outcome in send(event, secret)]
        finally:
            connection.close()

    with time_machine.travel(1_800_000_000, tick=False), ThreadPoolExecutor(4) as threads:
        outcomes = Counter(outcome for answer in threads.map(send_all, range(4)) for outcome in answer)
    assert outcomes == {"accepted": 100, REFUSED: 100}


def test_the_memory_of_a_minute_is_gone_with_it(one_minute: time_machine.Traveller) -> None:
    purses = Purses()
    for number in range(1_000):
        purses.of(number)
    one_minute.shift(60)
    purses.of(0)
    assert len(purses.by_key) == 1


# Whether they may at all


def test_where_keys_do_not_report_they_are_told_so_and_gateways_go_on(world: World, secret: str, settings: Any) -> None:
    settings.API_KEYS_MAY_REPORT = False
    response = post(make_event(), secret)
    error = json.loads(response.content)["error"]
    assert (response.status_code, error["code"]) == (403, "own_usage_not_taken")
    assert "ingest token" in error["message"]
    assert not UsageEvent.objects.exists()
    assert send(make_event(api_key_id=make_key(world.rita).public_id), make_token()) == ["accepted"]
