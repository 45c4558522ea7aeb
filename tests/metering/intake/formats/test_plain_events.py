"""Most events are read as PlainEvents: whatever such an event cannot say is read as an Event, and kept."""

import json
from datetime import timedelta, timezone
from typing import Any

import msgspec
import pytest

from metering.intake.formats import native
from metering.intake.formats.events import Event, PlainEvent, is_plain
from metering.measures import MEASURES
from metering.models import UsageEvent
from tests.engine import days_ago, make_event, make_key, make_token, send
from tests.world import World

PLAIN = {
    "id": "one",
    "timestamp": "2026-11-26T10:00:00Z",
    "usage_type": "completions",
    "model": "gpt-5-mini",
    "input_tokens": 9,
    "output_tokens": 7,
}
PLAIN_FIELDS = set(PlainEvent.__struct_fields__)
STILL_PLAIN: tuple[dict[str, Any], ...] = (
    {},
    {"api_key_id": "key_1", "project": "site", "attributes": {"team": "search"}},
    {"service_tier": "flex", "batch": True, "provider": "azure"},
    {"num_model_requests": 1, "input_cached_tokens": 9, "output_reasoning_tokens": 7},
)
NOT_PLAIN: tuple[dict[str, Any], ...] = (
    {"usage_type": "embeddings"},
    {"num_model_requests": 0},
    {"num_model_requests": 2},
    {"input_tokens": 0},
    {"output_tokens": 0},
    {"organization": "org_1"},
    {"speed": "fast"},
    {"region": "eu"},
    {"timestamp": 1_764_150_000},
    *({measure: 1} for measure in MEASURES if measure not in PLAIN_FIELDS),
)


def read(*events: dict[str, Any]) -> Any:
    return native.decode(json.dumps(events).encode(), lines=False)


def test_a_plain_event_reads_like_an_event() -> None:
    event, (plain,) = msgspec.json.decode(json.dumps(PLAIN), type=Event), read(PLAIN)
    assert type(plain) is PlainEvent
    assert [(name, getattr(plain, name)) for name in Event.__struct_fields__] == [
        (name, getattr(event, name)) for name in Event.__struct_fields__
    ]


@pytest.mark.parametrize("said", STILL_PLAIN, ids=str)
def test_what_a_plain_event_can_say_is_kept(said: dict[str, Any]) -> None:
    (plain,), event = read(PLAIN | said), msgspec.json.decode(json.dumps(PLAIN | said), type=Event)
    assert type(plain) is PlainEvent
    assert is_plain(event)
    for name in said:
        assert getattr(plain, name) == getattr(event, name)


@pytest.mark.parametrize("said", NOT_PLAIN, ids=str)
def test_what_a_plain_event_cannot_say_is_kept_by_an_event(said: dict[str, Any]) -> None:
    ((name, value),) = said.items()
    plain_before, event = read(PLAIN, PLAIN | said)
    assert type(plain_before) is type(event) is Event
    assert not is_plain(event)
    assert getattr(event, name) == value


def test_each_field_of_an_event_is_tried() -> None:
    tried = {name for said in (PLAIN, *STILL_PLAIN, *NOT_PLAIN) for name in said}
    assert tried == set(Event.__struct_fields__)


@pytest.mark.django_db
def test_one_event_that_is_not_plain_changes_nothing_for_the_others(world: World) -> None:
    token, key = make_token(), make_key(world.rita).public_id
    events = [make_event(id=f"plain-{number}", api_key_id=key, input_tokens=90, output_tokens=7) for number in range(3)]
    events[1] |= {"id": "audio", "input_audio_tokens": 40}
    assert send(events, token) == ["accepted"] * 3
    assert send([*events[:1], events[1] | {"id": "bad", "input_audio_tokens": 91}, events[2]], token) == [
        "duplicate",
        "parts_exceed_whole",
        "duplicate",
    ]
    stored = UsageEvent.objects.values_list("input_tokens", "input_audio_tokens", "output_tokens")
    assert sorted((tokens, audio or 0, output) for tokens, audio, output in stored) == [
        (90, 0, 7),
        (90, 0, 7),
        (90, 40, 7),
    ]


@pytest.mark.django_db
def test_plain_events_of_any_zone_count_at_their_moment(world: World) -> None:
    token, key = make_token(), make_key(world.rita).public_id
    at = days_ago(1).replace(microsecond=123_456)
    for number, hours in enumerate((0, 5.5, -11)):
        local = at.astimezone(timezone(timedelta(hours=hours))).isoformat()
        event = make_event(id=f"zone-{number}", api_key_id=key, input_tokens=9, output_tokens=7, timestamp=local)
        assert send([event], token) == ["accepted"]
    assert set(UsageEvent.objects.values_list("occurred_at", flat=True)) == {at}
