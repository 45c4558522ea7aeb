"""Rollups count each stored event exactly once, whatever arrives when, and can be proved and computed again."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from accounts.clock import database_now
from apikeys import directory
from apikeys.models import APIKey
from billing.models import DailyCost
from billing.prices import rating
from metering.intake import skus
from metering.measures import MEASURES
from metering.models import DailyUsage, HourlyUsage, IngestBatch, MonthlyUsage, OrganizationDailyUsage, Sku
from metering.rollups import partitions
from metering.rollups.freshness import complete_through
from tests.engine import (
    days_ago,
    make_event,
    make_key,
    make_token,
    num_events,
    roll_up,
    send,
    sums_of,
    total_of,
)
from tests.usage.rollup_proof import drift, everything
from tests.world import World

MOST = 10**12
HOUR_KEY = ("organization_id", "hour", "user_id", "api_key_id", "sku__model")
UNTRACKED_SINCE = datetime(2023, 6, 1, tzinfo=UTC)
REFUSED_REVERSALS = {"corrects_other_key", "corrects_other_sku", "overcorrected", "parts_exceed_whole"}
KEPT = ("num_model_requests", "input_tokens", "input_cached_tokens", "output_tokens")

Keyed = dict[tuple[Any, ...], tuple[int, ...]]


@pytest.fixture
def token(db: None) -> str:
    return make_token()


@pytest.fixture
def key(world: World) -> APIKey:
    return make_key(world.rita)


# Against a plain model in Python

TOKENS = st.one_of(st.integers(0, 1_000), st.sampled_from([0, 31_999, 200_001, MOST]))


@st.composite
def events(draw: st.DrawFn) -> list[dict[str, Any]]:
    """An event of one of six keys, in one of a few hours around two midnights; ids repeat, so that some are duplicates.

    It is alone, or its reversal is with it.
    """
    tokens = draw(TOKENS)
    event: dict[str, Any] = {
        "id": f"event-{draw(st.integers(0, 30))}",
        "key": draw(st.integers(0, 5)),
        "hours": draw(st.sampled_from([0.0, 0.5, 1.0, 23.0, 23.999, 24.0, 36.5, 47.999, 48.0])),
        "model": draw(st.sampled_from(["gpt-4o", "nobody-knows"])),
        "input_tokens": tokens,
        "input_cached_tokens": draw(st.integers(0, tokens)),
        "output_tokens": draw(TOKENS),
        "num_model_requests": draw(st.integers(0, 3)),
    }
    reversal = event | {measure: -event[measure] for measure in KEPT}
    reversal |= {"id": f"fix-{event['id']}", "corrects": event["id"]}
    return draw(st.sampled_from([[event], [event], [event], [event, reversal]]))


@contextmanager
def undone() -> Iterator[None]:
    """A transaction that is rolled back, with all that the process remembers of it."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    for memory in (directory, partitions, skus):
        memory.forget()


def expected_hours(accepted: list[dict[str, Any]], keys: list[APIKey], shown: dict[int, int]) -> Keyed:
    """Sums of the kept measures per organization, UTC hour, user, visible key and model."""
    sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * len(KEPT))
    for event in accepted:
        key = keys[event["key"]]
        hour = event["timestamp"].replace(minute=0, second=0, microsecond=0)
        row = sums[key.user.default_organization_id, hour, key.user_id, shown[key.id], event["model"]]
        for place, measure in enumerate(KEPT):
            row[place] += event[measure]
    return {row: tuple(values) for row, values in sums.items()}


def merged(rows: Keyed, change: Any) -> Keyed:
    """The rows added up under changed keys."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    for key, values in rows.items():
        total = sums.setdefault(change(key), [0] * len(values))
        for place, value in enumerate(values):
            total[place] += value
    return {key: tuple(values) for key, values in sums.items()}


def stored(rows: type[HourlyUsage | DailyUsage | MonthlyUsage | OrganizationDailyUsage], *key: str) -> Keyed:
    """The rollup's rows by model instead of SKU, of the kept measures; the others must be 0."""
    models = dict(Sku.objects.values_list("id", "model__name"))
    kept = [MEASURES.index(measure) for measure in KEPT]
    result = {}
    for row, values in sums_of(rows, *key, "sku_id").items():
        assert not any(value for place, value in enumerate(values) if place not in kept)
        result[row] = tuple(values[place] for place in kept)
    return merged(result, lambda row: (*row[:-1], models[row[-1]]))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=st.lists(st.one_of(st.lists(events(), min_size=1, max_size=12), st.none()), min_size=1, max_size=8))
def test_any_stream_of_events_adds_up_to_what_a_plain_model_says(
    world: World, settings: Settings, requests: list[list[list[dict[str, Any]]] | None]
) -> None:
    settings.ROLL_UP_MAX_EVENTS = 10  # so that what waits takes several runs
    with undone():
        token = make_token()
        users = (world.rita, world.bob, world.charlie)
        since = (datetime(2024, 1, 1, tzinfo=UTC), UNTRACKED_SINCE)
        keys = [make_key(user, created_at=moment) for user in users for moment in since]
        shown = {key.id: key.id if key.tracked else 0 for key in keys}
        midnight = days_ago(3, hour=0)
        accepted = []
        for drawn in requests:
            if drawn is None:
                roll_up()
                continue
            request = [event for pair in drawn for event in pair]
            for event in request:
                event["timestamp"] = midnight + timedelta(hours=event["hours"])
            bodies = [
                {name: value for name, value in event.items() if name not in ("key", "hours")}
                | {"usage_type": "completions", "api_key_id": keys[event["key"]].public_id}
                for event in request
            ]
            outcomes = send(bodies, token)
            assert set(outcomes) <= {"accepted", "duplicate", "conflict", *REFUSED_REVERSALS}
            accepted += [event for event, outcome in zip(request, outcomes, strict=True) if outcome == "accepted"]
        roll_up()
        hours = expected_hours(accepted, keys, shown)
        assert num_events() == len(accepted)
        assert stored(HourlyUsage, "organization_id", "hour", "user_id", "api_key_id") == hours
        days = merged(hours, lambda row: (row[0], row[1].date(), *row[2:]))
        assert stored(DailyUsage, "organization_id", "day", "user_id", "api_key_id") == days
        months = merged(days, lambda row: (row[0], row[1].replace(day=1), *row[2:]))
        assert stored(MonthlyUsage, "organization_id", "month", "user_id", "api_key_id") == months
        organization_days = merged(days, lambda row: (row[0], row[1], row[-1]))
        assert stored(OrganizationDailyUsage, "organization_id", "day") == organization_days


# Exactly once


def test_rolling_up_twice_changes_nothing(token: str, key: APIKey) -> None:
    untracked = make_key(key.user, created_at=UNTRACKED_SINCE)
    events = [make_event(id=f"event-{n}", api_key_id=(key, untracked)[n % 2].public_id) for n in range(5)]
    assert send(events, token) == ["accepted"] * 5
    assert roll_up() == 5
    before = everything()
    assert roll_up() == 0
    assert everything() == before
    assert any(before)


def test_thousands_of_the_largest_events_do_not_overflow(token: str, world: World, key: APIKey) -> None:
    events = [
        make_event(id=f"event-{n}", api_key_id=key.public_id, input_tokens=MOST, output_tokens=MOST)
        for n in range(10_000)
    ]
    assert set(send(events, token)) == {"accepted"}
    roll_up()
    send({**events[0], "id": "event-more"}, token)
    roll_up()
    assert total_of(world.acme, "input_tokens") == 10_001 * MOST
    assert sum(row.quantity for row in DailyCost.objects.all()) == 2 * 10_001 * MOST


def test_a_late_batch_is_added_to_its_own_day(token: str, world: World, key: APIKey) -> None:
    for day in (1, 50, 1, 30):
        event = make_event(id=f"of-{day}", api_key_id=key.public_id, timestamp=days_ago(day), output_tokens=day)
        send([event, {**event, "id": f"{event['id']}-{num_events()}"}], token)
        roll_up()
    totals = {day: total_of(world.acme, "num_model_requests", [days_ago(day).date()]) for day in (1, 30, 50)}
    assert totals == {1: 3, 30: 2, 50: 2}


def test_a_run_takes_as_many_batches_as_the_limit_allows_and_never_none(
    token: str, key: APIKey, settings: Settings
) -> None:
    settings.ROLL_UP_MAX_EVENTS = 3
    for size in (5, 2, 2, 2):
        batch = [make_event(id=f"event-{size}-{num_events()}-{n}", api_key_id=key.public_id) for n in range(size)]
        assert send(batch, token) == ["accepted"] * size
    runs = []
    while count := rating.roll_up_and_rate():
        runs.append(count)
    assert runs == [5, 4, 2]


def test_freshness_is_the_arrival_of_the_oldest_batch_that_waits(token: str, key: APIKey) -> None:
    before = database_now()
    assert before <= complete_through() <= database_now()
    for number in range(2):
        send(make_event(id=f"event-{number}", api_key_id=key.public_id), token)
    first, _ = IngestBatch.objects.order_by("id")
    assert complete_through() == first.received_at
    roll_up()
    assert complete_through() > database_now() - timedelta(seconds=5)
    assert complete_through() > first.received_at


def test_a_run_that_fails_at_the_end_has_not_happened(token: str, world: World, key: APIKey) -> None:
    send([make_event(id=f"event-{n}", api_key_id=key.public_id) for n in range(5)], token)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'disk full' USING ERRCODE = 'disk_full'; END $$;"
            " CREATE TRIGGER disk_is_full BEFORE INSERT ON billing_dailycost EXECUTE FUNCTION disk_is_full()"
        )
    with pytest.raises(OperationalError, match="disk full"):
        rating.roll_up_and_rate()
    assert not any(everything())
    assert IngestBatch.objects.get().rolled_up_at is None
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER disk_is_full ON billing_dailycost")
    assert roll_up() == 5
    assert total_of(world.acme, "num_model_requests") == 5


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_commits_after_a_younger_one_was_rolled_up_is_counted_once(world: World) -> None:
    key, token = make_key(world.rita), make_token()
    stored_first, commit_now = threading.Event(), threading.Event()

    def slow() -> list[str]:
        try:
            with transaction.atomic():
                outcomes = send(make_event(id="slow", api_key_id=key.public_id, input_tokens=1), token)
                stored_first.set()
                assert commit_now.wait(20)
            return outcomes
        finally:
            stored_first.set()
            connection.close()

    send(make_event(id="warm", api_key_id=key.public_id, input_tokens=1_000), token)
    assert rating.catch_up() == 1
    with ThreadPoolExecutor(1) as threads:
        send(make_event(id="older", api_key_id=key.public_id, input_tokens=100), token)
        waiting = threads.submit(slow)
        assert stored_first.wait(20)
        send(make_event(id="younger", api_key_id=key.public_id, input_tokens=10), token)
        assert rating.catch_up() == 2  # around the one that is not committed yet
        assert total_of(world.acme, "input_tokens") == 1_110
        commit_now.set()
        assert waiting.result() == ["accepted"]
    send(make_event(id="youngest", api_key_id=key.public_id, input_tokens=20_000), token)
    assert rating.catch_up() == 2  # around the one that is rolled up already
    assert rating.catch_up() == 0
    assert total_of(world.acme, "input_tokens") == 21_111


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_while_events_arrive_count_each_once(world: World, settings: Settings) -> None:
    settings.ROLL_UP_MAX_EVENTS = 40
    key, token = make_key(world.rita), make_token()
    done = threading.Event()

    def work() -> int:
        total = 0
        try:
            while not done.is_set():
                total += rating.roll_up_and_rate()
        finally:
            connection.close()
        return total

    with ThreadPoolExecutor(2) as threads:
        workers = [threads.submit(work) for _ in range(2)]
        try:
            for batch in range(15):
                events = [
                    make_event(
                        id=f"event-{batch}-{n}", api_key_id=key.public_id, timestamp=days_ago(1 + n % 3), input_tokens=1
                    )
                    for n in range(30)
                ]
                assert set(send(events, token)) == {"accepted"}
        finally:
            done.set()
        counted = sum(worker.result() for worker in workers)
    assert counted + rating.catch_up() == 450
    assert total_of(world.acme, "input_tokens") == 450
    assert drift() == {}
