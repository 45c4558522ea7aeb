"""`metering.intake.ingest`: whole batches, each event once, whoever sends it how often, and nothing of a request that fails."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection

from accounts.clock import database_now
from apikeys.models import APIKey
from metering.measures import ALLOWED_MEASURES, MEASURES, UsageType
from metering.models import IngestBatch, Sku, UsageEvent
from metering.rollups import partitions
from tests.engine import days_ago, make_event, make_key, make_token, num_events, post, send
from tests.world import World

SEED = 20261122


def many(key: APIKey, count: int, **fields: Any) -> list[dict[str, Any]]:
    return [make_event(id=f"event-{number}", api_key_id=key.public_id, **fields) for number in range(count)]


# Each event once


def test_an_event_sent_again_is_a_duplicate_in_the_same_and_in_another_request(token: str, key: APIKey) -> None:
    event = make_event(api_key_id=key.public_id)
    assert send([event, event], token) == ["accepted", "duplicate"]
    assert send([event, event], token) == ["duplicate", "duplicate"]
    assert num_events() == 1


def test_a_retry_in_which_only_some_events_are_new_stores_those(token: str, key: APIKey) -> None:
    events = many(key, 6)
    assert send(events[:4], token) == ["accepted"] * 4
    assert send(events[2:], token) == ["duplicate", "duplicate", "accepted", "accepted"]
    assert num_events() == 6


def test_ten_thousand_copies_in_one_request_are_one_event(token: str, key: APIKey) -> None:
    outcomes = Counter(send([make_event(api_key_id=key.public_id)] * 10_000, token))
    assert outcomes == {"accepted": 1, "duplicate": 9_999}
    assert num_events() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"input_tokens": 101},
        {"output_tokens": None},
        {"input_cached_tokens": 1},
        {"num_model_requests": 2},
        {"model": "gpt-4o-mini"},
        {"service_tier": "flex"},
        {"batch": True},
        {"corrects": "event-0"},
    ],
    ids=repr,
)
def test_the_same_identity_with_other_content_is_a_conflict_and_the_first_stays(
    token: str, key: APIKey, change: dict[str, Any]
) -> None:
    first = make_event(api_key_id=key.public_id)
    other = {**make_event(api_key_id=key.public_id, **change), **change}
    other = {name: value for name, value in other.items() if value is not None}
    new = {**first, "id": "event-2"}
    assert send([first, other, new], token) == ["accepted", "conflict", "accepted"]
    stored = list(UsageEvent.objects.order_by("event_id").values())
    assert send([other, first, new], token) == ["conflict", "duplicate", "duplicate"]
    assert list(UsageEvent.objects.order_by("event_id").values()) == stored
    assert UsageEvent.objects.filter(input_tokens=100, output_tokens=20, corrects=None).count() == 2
    assert num_events() == 2


def test_the_same_identity_from_another_key_in_the_organization_is_a_conflict(token: str, world: World) -> None:
    first, second = make_key(world.rita), make_key(world.bob)
    assert send(make_event(api_key_id=first.public_id), token) == ["accepted"]
    assert send(make_event(api_key_id=second.public_id), token) == ["conflict"]


def test_the_same_identity_in_two_organizations_is_two_events(token: str, world: World) -> None:
    events = [make_event(api_key_id=make_key(user).public_id) for user in (world.rita, world.charlie)]
    assert send(events, token) == ["accepted", "accepted"]
    assert send(events, token) == ["duplicate", "duplicate"]
    assert num_events() == 2


def test_one_moment_holds_many_ids_and_one_id_many_moments(token: str, key: APIKey) -> None:
    at = days_ago(1)
    events = many(key, 3, timestamp=at) + [
        make_event(id="event-0", api_key_id=key.public_id, timestamp=at + timedelta(microseconds=step))
        for step in (1, 2)
    ]
    assert send(events, token) == ["accepted"] * 5
    assert num_events() == 5


def test_settings_that_mean_the_same_are_the_same_event(token: str, key: APIKey) -> None:
    forms: list[dict[str, Any]] = [{}, {"batch": False}]
    forms += [{"service_tier": "auto"}, {"service_tier": "standard"}, {"service_tier": "default"}]
    events = [make_event(api_key_id=key.public_id, images=0, num_model_requests=1, **form) for form in forms]
    assert send(events, token) == ["accepted", *["duplicate"] * 4]


def test_a_correction_is_an_event_with_signed_measures_beside_the_first(token: str, key: APIKey) -> None:
    correction = make_event(
        id="fix-1", corrects="event-1", api_key_id=key.public_id, input_tokens=-100, output_tokens=-20
    )
    assert send([make_event(api_key_id=key.public_id), correction], token) == ["accepted", "accepted"]
    assert send(correction, token) == ["duplicate"]
    first, second = UsageEvent.objects.order_by("-input_tokens")
    assert (first.corrects, second.corrects) == (None, first.event_id)
    assert (second.input_tokens, second.output_tokens, second.num_model_requests) == (-100, -20, None)


# Many senders at once


@pytest.mark.django_db(transaction=True)
def test_the_same_batches_from_several_senders_at_once_count_once(world: World) -> None:
    token, key = make_token(), make_key(world.rita)
    batches = [
        [
            make_event(id=f"event-{number}", api_key_id=key.public_id, timestamp=days_ago(1 + number % 4))
            for number in range(start, start + 60)
        ]
        for start in range(0, 300, 30)  # each event is in two batches
    ]
    start_together = threading.Barrier(4)

    def send_all(seed: int) -> list[str]:
        order = random.Random(seed)
        start_together.wait()
        try:
            return [
                outcome
                for batch in order.sample(batches, len(batches))
                for outcome in send(order.sample(batch, len(batch)), token)
            ]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        outcomes = Counter(outcome for answer in threads.map(send_all, range(4)) for outcome in answer)
    assert outcomes == {"accepted": 330, "duplicate": 4 * 600 - 330}
    assert num_events() == 330


@pytest.mark.django_db(transaction=True)
def test_of_two_senders_of_one_identity_one_is_told_of_the_conflict(world: World) -> None:
    token, key = make_token(), make_key(world.rita)
    start_together = threading.Barrier(2)

    def send_with(input_tokens: int) -> list[str]:
        events = many(key, 50, input_tokens=input_tokens)
        start_together.wait()
        try:
            return send(events, token)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(send_with, [1, 2]))
    assert sorted(answers) == [["accepted"] * 50, ["conflict"] * 50]
    assert num_events() == 50
    assert UsageEvent.objects.values("input_tokens").distinct().count() == 1


# Whole batches


def test_a_batch_is_counted_in_and_out(token: str, key: APIKey) -> None:
    first, last = days_ago(2), days_ago(1)
    events = [*many(key, 2500, timestamp=first), make_event(id="last", api_key_id=key.public_id, timestamp=last)]
    random.Random(SEED).shuffle(events)
    before = database_now()
    assert send(events, token) == ["accepted"] * 2_501
    batch = IngestBatch.objects.get()
    assert (batch.num_events, batch.first_occurred_at, batch.last_occurred_at) == (2_501, first, last)
    assert before <= batch.received_at <= database_now()
    assert batch.rolled_up_at is None
    assert set(UsageEvent.objects.values_list("batch_id", flat=True)) == {batch.id}
    assert num_events() == 2_501


def test_a_request_of_which_nothing_is_new_makes_no_batch(token: str, key: APIKey) -> None:
    event = make_event(api_key_id=key.public_id)
    send(event, token)
    send([event, make_event(api_key_id="key_unknown"), make_event(id="")], token)
    send([], token)
    assert IngestBatch.objects.count() == 1


def test_each_measure_is_stored_as_it_was_sent(token: str, key: APIKey) -> None:
    sent = {}
    for usage_type, allowed in ALLOWED_MEASURES.items():
        measures: dict[str, int | None] = {"input_tokens": None, "output_tokens": None}
        for place, measure in enumerate(reversed(MEASURES), start=1):
            if measure in allowed:
                measures[measure] = (
                    1_000_000 if measure in ("input_tokens", "output_tokens") else 100 * usage_type + place
                )
        sent[usage_type] = make_event(
            id=usage_type.label, usage_type=usage_type.label, api_key_id=key.public_id, **measures
        )
    assert send(list(sent.values()), token) == ["accepted"] * len(UsageType)
    usage_types = dict(Sku.objects.values_list("id", "usage_type"))
    stored = {usage_types[event["sku_id"]]: event for event in UsageEvent.objects.values()}
    for usage_type, event in sent.items():
        assert {measure: stored[usage_type][measure] for measure in MEASURES} == {
            measure: event.get(measure) for measure in MEASURES
        }


def test_long_contexts_are_told_apart_by_the_input_of_one_request(token: str, key: APIKey) -> None:
    sizes = [(0, 1, 0), (32_000, 1, 0), (32_001, 1, 32_000), (200_000, 1, 199_999), (200_001, 1, 200_000)]
    sizes += [(10**9, 1, 524_288), (200_000, 10, 0), (1_999_980, 10, 128_000), (2_000_001, 10, 200_000)]
    events = [
        make_event(id=f"event-{number}", api_key_id=key.public_id, input_tokens=tokens, num_model_requests=requests)
        for number, (tokens, requests, _) in enumerate(sizes)
    ]
    assert send(events, token) == ["accepted"] * len(sizes)
    bands = dict(Sku.objects.values_list("id", "context_band"))
    stored = {
        (event["input_tokens"] or 0, event["num_model_requests"], bands[event["sku_id"]])
        for event in UsageEvent.objects.values()
    }
    assert stored == set(sizes)


def test_a_reversed_event_is_of_the_same_sku(token: str, key: APIKey) -> None:
    event = make_event(api_key_id=key.public_id, input_tokens=300_000, num_model_requests=1, service_tier="flex")
    reversal = {**event, "id": "fix-1", "corrects": "event-1"}
    reversal |= {"num_model_requests": -1, "input_tokens": -300_000, "output_tokens": -20}
    assert send([event, reversal], token) == ["accepted", "accepted"]
    assert Sku.objects.count() == 1


def break_table(table: str) -> None:
    """From now on PostgreSQL reports a full disk when something is written to this table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'disk full' USING ERRCODE = 'disk_full'; END $$"
        )
        cursor.execute(f"CREATE TRIGGER disk_is_full BEFORE INSERT ON {table} EXECUTE FUNCTION disk_is_full()")


def mend_table(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER disk_is_full ON {table}")


@pytest.mark.parametrize("retry", [False, True], ids=["first try", "retry"])
def test_when_the_last_write_of_a_request_fails_nothing_of_it_is_stored(token: str, key: APIKey, retry: bool) -> None:
    stored = 1 if retry else 0
    events = many(key, 20)
    send(events[:stored], token)
    break_table("metering_ingestbatch")
    response = post(events, token)
    assert (response.status_code, response["Retry-After"]) == (503, "1")
    assert num_events() == stored
    mend_table("metering_ingestbatch")
    assert Counter(send(events, token))["accepted"] == 20 - stored
    assert num_events() == 20


# Days


def num_in_partition(at: datetime) -> int:
    """How many events of this moment lie in the table of its UTC day."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM metering_usageevent_{at:%Y%m%d} WHERE occurred_at = %s", [at])
        ((found,),) = cursor.fetchall()
    return int(found)


def test_events_of_many_days_lie_in_the_partitions_of_their_utc_days(token: str, key: APIKey) -> None:
    moments = [days_ago(day, hour=hour) for day in (1, 2, 30, 58) for hour in (0, 12)]
    moments += [days_ago(1, hour=0) - timedelta(microseconds=1)]
    events = [
        make_event(id=f"event-{number}", api_key_id=key.public_id, timestamp=at) for number, at in enumerate(moments)
    ]
    random.Random(SEED).shuffle(events)
    assert send(events, token) == ["accepted"] * len(moments)
    assert [num_in_partition(at) for at in moments] == [1] * len(moments)
    assert num_events() == len(moments)


@pytest.mark.parametrize("num_days", [1, 6])
def test_a_partition_that_this_process_believed_in_but_is_gone_is_made_again(
    token: str, key: APIKey, num_days: int
) -> None:
    events = [make_event(api_key_id=key.public_id, timestamp=days_ago(20 + day)) for day in range(num_days)]
    send(events, token)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {partitions.partition_name(days_ago(20).date())}")
        cursor.execute("DELETE FROM metering_ingestbatch")
    events = [{**event, "id": "sent-later"} for event in events]
    assert send(events, token) == ["accepted"] * num_days
    assert UsageEvent.objects.count() == 2 * num_days - 1


def existing_days() -> set[date]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'metering_usageevent'::regclass"
        )
        return {partitions.day_of(name) for (name,) in cursor.fetchall()}


def test_partitions_are_made_ahead_for_every_day_that_is_accepted_and_the_next_three(db: None) -> None:
    partitions.ensure_ahead()
    today = database_now().date()
    wanted = {today + timedelta(days=step) for step in range(-60, 4)}
    assert wanted <= existing_days()
    partitions.ensure_ahead()


@pytest.mark.django_db(transaction=True)
def test_two_processes_that_need_the_same_new_day_at_once_both_succeed(world: World) -> None:
    token, key = make_token(), make_key(world.rita)
    at = days_ago(40)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {partitions.partition_name(at.date())}")
    start_together = threading.Barrier(2)

    def send_one(number: int) -> list[str]:
        event = make_event(id=f"event-{number}", api_key_id=key.public_id, timestamp=at)
        start_together.wait()
        try:
            return send(event, token)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(send_one, range(2))) == [["accepted"], ["accepted"]]
    assert num_events() == 2


@pytest.mark.parametrize("wrong", [datetime(2020, 1, 1, tzinfo=UTC), datetime(2035, 1, 1, tzinfo=UTC)], ids=str)
def test_lateness_is_judged_by_the_databases_clock_and_not_by_this_machines(
    token: str, key: APIKey, wrong: datetime
) -> None:
    events = [
        make_event(id="now", api_key_id=key.public_id, timestamp=database_now()),
        make_event(id="wrong", api_key_id=key.public_id, timestamp=wrong),
    ]
    with time_machine.travel(wrong, tick=False):
        outcomes = send(events, token)
    assert outcomes == ["accepted", "too_old" if wrong.year == 2020 else "in_the_future"]


def test_the_limits_of_lateness_are_settings(token: str, key: APIKey, settings: Any) -> None:
    settings.USAGE_EVENT_MAX_AGE_DAYS = 1
    settings.USAGE_EVENT_MAX_AHEAD_SECONDS = 3600
    now = database_now()
    moments = [now - timedelta(hours=23), now - timedelta(hours=25), now + timedelta(minutes=59)]
    events = [make_event(api_key_id=key.public_id, timestamp=at) for at in moments]
    assert send(events, token) == ["accepted", "too_old", "accepted"]
