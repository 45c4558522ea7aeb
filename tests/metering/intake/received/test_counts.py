"""What came in is counted: exactly, by way in, sender and code, whatever was refused and whoever writes at once."""

import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from pytest_django import Settings

from accounts.clock import database_now
from apikeys.models import APIKey, IngestToken
from metering.ingestion_models import IngestCount, Kind, RefusedItem, Source, UnknownKey
from metering.intake.copy_rows import ACCEPTED, DUPLICATE
from metering.intake.formats.events import Refusal
from metering.intake.received import received, tally, writing
from metering.intake.received.received import API_KEYS, NOBODY
from metering.rollups import retention
from tests.engine import days_ago, make_event, make_key, make_key_and_secret, make_token, post, send
from tests.world import World

Row = tuple[str, int, str, str]


def counted(grain: str = "minute") -> Counter[Row]:
    """What is counted once all that this process has is written; over all minutes, hours or days."""
    tally.tally.write()
    found: Counter[Row] = Counter()
    for row in IngestCount.objects.filter(grain=grain):
        found[row.source, row.token_id, row.kind, row.code] += row.number
    return found


def token_id(name: str = "gateway") -> int:
    return IngestToken.objects.get(name=name).pk


def test_each_outcome_of_a_request_is_counted_once_in_each_grain(token: str, key: APIKey) -> None:
    good = [make_event(id=f"event-{number}", api_key_id=key.public_id) for number in range(5)]
    send(good, token)
    changed = {**good[0], "input_tokens": 7}
    bad = {"id": "bad", "usage_type": "completions"}
    far = make_event(id="far", api_key_id=key.public_id, timestamp=days_ago(1000))
    send([*good[:3], changed, far, far, bad, make_event(id="whose", api_key_id="key_nobody")], token)
    gateway = token_id()
    expected = {
        ("native", gateway, "accepted", ""): 5,
        ("native", gateway, "duplicate", ""): 3,
        ("native", gateway, "conflicting", "conflict"): 1,
        ("native", gateway, "rejected", "too_old"): 2,
        ("native", gateway, "rejected", "missing_field"): 1,
        ("native", gateway, "rejected", "unknown_api_key"): 1,
    }
    for grain in ("minute", "hour", "day"):
        assert counted(grain) == expected


def test_tokens_are_told_apart_and_api_keys_are_one_sender(world: World, token: str, key: APIKey) -> None:
    other, (_, secret) = make_token("other"), make_key_and_secret(world.bob)
    for number, sender in enumerate((token, other, secret)):
        send([make_event(id=f"event-{number}", api_key_id=None if sender == secret else key.public_id)], sender)
    assert set(counted()) == {
        ("native", token_id(), "accepted", ""),
        ("native", token_id("other"), "accepted", ""),
        ("native", API_KEYS, "accepted", ""),
    }


def test_requests_that_are_refused_as_a_whole_are_counted_by_code(token: str, world: World) -> None:
    post(b"{", token)
    post(b"{", token)
    post([], "it-nobody")
    post([], None)
    post(b"", token)
    assert counted() == {
        ("native", token_id(), "unreadable", "invalid_json"): 2,
        ("native", token_id(), "unreadable", "empty_body"): 1,
        ("native", NOBODY, "unreadable", "unauthenticated"): 2,
    }


def test_a_key_that_is_not_read_any_more_is_counted_too(world: World, settings: Settings) -> None:
    settings.API_KEY_REFUSED_EVENTS_PER_MINUTE = 1_000
    _, secret = make_key_and_secret(world.rita)
    flood = [make_event(id=f"event-{number}", timestamp=days_ago(1000)) for number in range(2_000)]
    assert post(flood, secret).status_code == 200
    assert post(flood, secret).status_code == 429
    assert post(flood, secret).status_code == 429
    assert counted() == {
        ("native", API_KEYS, "rejected", "too_old"): 2_000,
        ("native", API_KEYS, "unreadable", "too_much_refused"): 2,
    }
    assert RefusedItem.objects.count() == tally.REFUSED_OF_A_SENDER


@pytest.mark.django_db
def test_what_was_ignored_and_normalised_is_counted_by_rule() -> None:
    received.note(Source.OTLP, None, [ACCEPTED], ignored={"no_usage": 3}, normalised={"disjoint": 2, "reasoning": 0})
    received.note(Source.OTLP, None, [], ignored={"no_usage": 1})
    assert counted() == {
        ("otlp", NOBODY, "accepted", ""): 1,
        ("otlp", NOBODY, "ignored", "no_usage"): 4,
        ("otlp", NOBODY, "normalised", "disjoint"): 2,
    }


@pytest.mark.django_db
def test_every_code_has_its_count_and_thousands_of_codes_no_memory() -> None:
    outcomes = [Refusal(f"code_{number}", "No.") for number in range(tally.MAX_KEYS + 100)]
    received.note(Source.LITELLM, None, outcomes)
    assert len(counted()) == tally.MAX_KEYS


@pytest.mark.django_db
def test_what_could_not_be_written_is_written_later(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Refusal("unknown_api_key", "No.", key="sk-x")
    received.note(Source.NATIVE, None, [ACCEPTED, ACCEPTED, ACCEPTED, refused])
    with monkeypatch.context() as broken:
        broken.setattr(writing, "COUNTS_SQL", "SELECT 1 FROM no_such_table")
        with pytest.raises(Exception, match="no_such_table"):
            tally.tally.write()
    received.note(Source.NATIVE, None, [ACCEPTED])
    assert counted()["native", NOBODY, "accepted", ""] == 4
    assert (RefusedItem.objects.count(), UnknownKey.objects.get().num_events) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_many_threads_that_count_and_write_at_once_lose_nothing_and_wait_for_nobody_for_ever() -> None:
    """Each has a tally of its own, as a process has, and all write the same rows in the orders of their own."""
    num_writers, num_rounds = 6, 15

    def process(place: int) -> None:
        own = tally.Tally()
        try:
            for number in range(num_rounds):
                codes = [f"code_{code}" for code in range(20)]
                for code in codes if place % 2 else reversed(codes):
                    own.count(("native", 1, "rejected", code), 2)
                own.count(("native", 1, "accepted", ""), number + 1)
                own.write()
        finally:
            connection.close()

    threads = [threading.Thread(target=process, args=(place,)) for place in range(num_writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    found = counted("day")
    assert found["native", 1, "accepted", ""] == num_writers * sum(range(num_rounds + 1))
    assert {found["native", 1, "rejected", f"code_{code}"] for code in range(20)} == {num_writers * num_rounds * 2}


@pytest.mark.django_db(transaction=True)
def test_one_tally_that_many_threads_note_in_while_it_is_written_loses_nothing() -> None:
    shared, is_over = tally.Tally(), threading.Event()
    noted: list[int] = []

    def note() -> None:
        number = 0
        while not is_over.is_set():
            shared.count(("native", 1, "accepted", ""), 3)
            number += 3
        noted.append(number)

    threads = [threading.Thread(target=note) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        shared.write()
    is_over.set()
    for thread in threads:
        thread.join()
    shared.write()
    assert counted("day")["native", 1, "accepted", ""] == sum(noted)


@pytest.mark.django_db(transaction=True)
def test_a_thread_writes_by_itself_soon_after_something_came_in(settings: Settings) -> None:
    settings.INGESTION_WRITE_SECONDS = 0.01
    own = tally.Tally()
    own.count(("native", 1, "accepted", ""), 1)
    deadline = database_now() + timedelta(seconds=20)
    while not IngestCount.objects.exists():
        assert database_now() < deadline
    own.count(("native", 1, "accepted", ""), 1)
    while IngestCount.objects.get(grain="day").number < 2:
        assert database_now() < deadline
    own.count(("native", 1, "accepted", ""), 1)
    own.stop()
    assert IngestCount.objects.get(grain="day").number == 3


@pytest.mark.django_db(transaction=True)
def test_the_thread_goes_on_after_a_write_that_failed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.INGESTION_WRITE_SECONDS = 0.01
    own = tally.Tally()
    failed = threading.Event()
    write = writing.write

    def write_at_the_second_time(*what: Any) -> None:
        if not failed.is_set():
            failed.set()
            raise OperationalError
        write(*what)

    monkeypatch.setattr(writing, "write", write_at_the_second_time)
    own.count(("native", 1, "accepted", ""), 5)
    assert failed.wait(20)
    own.stop()
    assert IngestCount.objects.get(grain="day").number == 5


def test_old_counts_go_each_grain_at_its_time(world: World) -> None:
    now = database_now()
    kept = {"minute": timedelta(days=1), "hour": timedelta(days=30), "day": timedelta(days=396)}
    for grain, age in kept.items():
        for code, at in (("old", now - age - timedelta(hours=1)), ("young", now - age + timedelta(hours=1))):
            IngestCount.objects.create(
                grain=grain, began_at=at, source="native", token_id=0, kind=Kind.REJECTED, code=code, number=1
            )
    item: dict[str, Any] = {"source": "native", "token_id": 0, "organization_id": 0, "message": ""}
    RefusedItem.objects.create(at=now - timedelta(hours=25), code="old", **item)
    RefusedItem.objects.create(at=now - timedelta(hours=23), code="young", **item)
    retention.drop_old()
    assert sorted(IngestCount.objects.values_list("grain", "code")) == [
        ("day", "young"),
        ("hour", "young"),
        ("minute", "young"),
    ]
    assert RefusedItem.objects.get().code == "young"


def test_duplicates_alone_are_counted(token: str, key: APIKey) -> None:
    events = [make_event(id=f"event-{number}", api_key_id=key.public_id) for number in range(3)]
    assert send(events, token) + send(events, token) == ["accepted"] * 3 + [DUPLICATE] * 3
    assert counted()["native", token_id(), "duplicate", ""] == 3


def test_keys_of_other_people_change_nothing_of_who_is_the_sender(world: World, token: str) -> None:
    keys = [make_key(person, f"{person.name}'s") for person in (world.alice, world.bob, world.charlie)]
    send([make_event(id=f"event-{one.pk}", api_key_id=one.public_id) for one in keys], token)
    assert counted() == {("native", token_id(), "accepted", ""): 3}
