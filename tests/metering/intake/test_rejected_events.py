"""`POST /v1/usage/events`: every bad event has a stable code and leaves its neighbours unharmed."""

import json
from datetime import timedelta
from typing import Any

import pytest

from accounts.changes import routing_change
from accounts.clock import database_now
from apikeys.keys import keys
from apikeys.models import APIKey
from tests.engine import (
    case_name,
    days_ago,
    make_event,
    make_key,
    num_events,
    post,
    send,
)
from tests.world import World

MOST = 2**63 - 1
LONG_AGO = 1_000_000_000
BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"id": ""}, "invalid_id"),
    ({"id": "x" * 65}, "invalid_id"),
    ({"id": "x" * 100_000}, "invalid_id"),
    ({"id": "with space"}, "invalid_id"),
    ({"id": "nul\x00"}, "invalid_id"),
    ({"id": "line\n"}, "invalid_id"),
    ({"id": "\u200b"}, "invalid_id"),
    ({"id": 17}, "invalid_id"),
    ({"id": None}, "missing_field"),
    ({"timestamp": None}, "missing_field"),
    ({"usage_type": None}, "missing_field"),
    ({"timestamp": "yesterday"}, "invalid_timestamp"),
    ({"timestamp": "2026-11-01T12:00:00"}, "invalid_timestamp"),
    ({"timestamp": "2026-02-30T12:00:00Z"}, "invalid_timestamp"),
    ({"timestamp": "0001-01-01T00:00:00+14:00"}, "invalid_timestamp"),
    ({"timestamp": "9999-12-31T23:59:59-14:00"}, "invalid_timestamp"),
    ({"timestamp": 10**17}, "invalid_timestamp"),
    ({"timestamp": -(10**17)}, "invalid_timestamp"),
    ({"timestamp": 10**30}, "invalid_timestamp"),
    ({"timestamp": 1e300}, "invalid_timestamp"),
    ({"timestamp": True}, "invalid_timestamp"),
    ({"timestamp": []}, "invalid_timestamp"),
    ({"timestamp": LONG_AGO}, "too_old"),
    ({"timestamp": -1}, "too_old"),
    ({"timestamp": 4_000_000_000}, "in_the_future"),
    ({"timestamp": LONG_AGO * 1000}, "invalid_timestamp"),
    ({"usage_type": "telepathy"}, "unknown_usage_type"),
    ({"usage_type": 1}, "unknown_usage_type"),
    ({"service_tier": "x" * 41}, "invalid_service_tier"),
    ({"model": ""}, "invalid_model"),
    ({"model": " gpt-4o"}, "invalid_model"),
    ({"model": "x" * 129}, "invalid_model"),
    ({"model": "nul\x00"}, "invalid_model"),
    ({"model": 4}, "invalid_model"),
    ({"input_tokens": -1}, "invalid_measure"),
    ({"input_tokens": MOST}, "measure_too_large"),
    ({"output_tokens": 10**12 + 1}, "measure_too_large"),
    ({"num_model_requests": 10**12 + 1}, "measure_too_large"),
    ({"input_tokens": MOST + 1}, "invalid_measure"),
    ({"input_tokens": 2**64}, "invalid_measure"),
    ({"input_tokens": 10**400}, "invalid_measure"),
    ({"input_tokens": 1.5}, "invalid_measure"),
    ({"input_tokens": "100"}, "invalid_measure"),
    ({"input_tokens": True}, "invalid_measure"),
    ({"input_tokens": [1]}, "invalid_measure"),
    ({"num_model_requests": -1}, "invalid_measure"),
    ({"batch": "yes"}, "invalid_field"),
    ({"organization": 5}, "invalid_field"),
    ({"api_key_id": {}}, "invalid_field"),
    ({"tokens": 5}, "unknown_field"),
    ({"input_cached_tokens": 101}, "parts_exceed_whole"),
    ({"input_cached_tokens": 50, "input_cache_write_tokens": 50, "input_audio_tokens": 1}, "parts_exceed_whole"),
    ({"output_audio_tokens": 21}, "parts_exceed_whole"),
    ({"input_image_tokens": 60, "input_video_tokens": 41}, "parts_exceed_whole"),
    ({"output_image_tokens": 21}, "parts_exceed_whole"),
    ({"output_reasoning_tokens": 21}, "parts_exceed_whole"),
    ({"input_cache_write_tokens": 5, "input_cache_write_long_tokens": 6}, "parts_exceed_whole"),
    ({"input_cache_write_long_tokens": 1}, "parts_exceed_whole"),
    ({"provider": "x" * 41}, "invalid_provider"),
    ({"speed": " fast"}, "invalid_speed"),
    ({"region": "eu\x00"}, "invalid_region"),
    ({"region": 5}, "invalid_field"),
    ({"images": 1}, "foreign_measure"),
    ({"usage_type": "embeddings"}, "foreign_measure"),
    ({"api_key_id": "key_unknown"}, "unknown_api_key"),
    ({"api_key_id": "nul\x00"}, "unknown_api_key"),
    ({"api_key_id": "x" * 100_000}, "unknown_api_key"),
    ({"api_key_id": None}, "missing_api_key_id"),
    ({"organization": "org_unknown"}, "not_a_member"),
    ({"organization": "nul\x00"}, "not_a_member"),
    ({"api_key_id": ""}, "missing_api_key_id"),
    ({"input_tokens": ""}, "invalid_measure"),
    ({"corrects": "x" * 65}, "invalid_id"),
    ({"corrects": "event-0", "input_tokens": -MOST}, "measure_too_large"),
    ({"corrects": "event-0", "input_tokens": -1}, "corrected_event_unknown"),
    ({"corrects": "event-0", "input_tokens": -MOST - 1}, "invalid_measure"),
]


@pytest.mark.parametrize(("fields", "code"), BAD_FIELDS, ids=case_name)
def test_a_bad_event_has_its_code_and_its_neighbours_are_stored(
    token: str, key: APIKey, fields: dict[str, Any], code: str
) -> None:
    good = {"api_key_id": key.public_id}
    events = [
        make_event(**good, id="before"),
        make_event(**{**good, "id": "bad", **fields}),
        make_event(**good, id="after"),
    ]
    for body in (events, "\n".join(json.dumps(event, default=str) for event in events).encode()):
        answer = json.loads(post(body, token).content)
        results = answer["results"]
        assert (results[1]["status"], results[1]["code"]) == ("rejected", code)
        assert results[1]["message"].endswith(".")
        assert len(results[1]["message"]) < 500
        assert answer["rejected"] == 1
        assert num_events() == 2
    assert send(events[1], token) == [code]


NOT_EVENTS = [b"null", b"5", b'"text"', b"[]", b"{}", b"true"]


@pytest.mark.parametrize("text", NOT_EVENTS, ids=repr)
def test_what_is_no_event_is_rejected_in_its_place(token: str, key: APIKey, text: bytes) -> None:
    good = json.dumps(make_event(api_key_id=key.public_id), default=str).encode()
    answer = json.loads(post(b"[" + text + b"," + good + b"]", token).content)
    assert [result["status"] for result in answer["results"]] == ["rejected", "accepted"]
    assert answer["results"][0]["code"] in ("invalid_event", "missing_field")


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ('"id": null', "invalid_id"),
        ('"timestamp": null', "invalid_timestamp"),
        ('"usage_type": null', "unknown_usage_type"),
        ('"model": null', "invalid_model"),
        ('"api_key_id": null', "missing_api_key_id"),
        ('"prompt": null', "unknown_field"),
        ('"batch": null, "input_tokens": -1', "invalid_measure"),
    ],
)
def test_null_is_no_excuse_for_a_field_that_is_required_or_unknown(
    token: str, key: APIKey, field: str, code: str
) -> None:
    text = json.dumps(make_event(api_key_id=key.public_id), default=str)
    assert send(f"{text[:-1]}, {field}}}".encode(), token) == [code]


@pytest.mark.parametrize(
    "text",
    [
        b'{"id": "\xff\xfe", "timestamp": 1}',
        b'{"id": "a", "model": "\xc3\x28", "timestamp": 1, "usage_type": "completions"}',
        b'{"id": "\xed\xa0\x80", "timestamp": 1}',
        b'{"\xff": 1}',
    ],
)
def test_invalid_utf_8_is_the_fault_of_one_event(token: str, key: APIKey, text: bytes) -> None:
    good = json.dumps(make_event(api_key_id=key.public_id), default=str).encode()
    answer = json.loads(post(b"[" + text + b"," + good + b"]", token).content)
    assert answer["results"][0]["code"] == "invalid_utf8"
    assert answer["results"][1]["status"] == "accepted"
    assert num_events() == 1


@pytest.mark.parametrize(
    ("escape", "status"),
    [
        ("\\ud83d", "rejected"),
        ("\\uDE00\\ud83d", "rejected"),
        ("\\ud83d\\ud83d\\ude00", "rejected"),
        ("\\ud83d\\ude00", "accepted"),
        ("\\\\ud83d", "accepted"),
    ],
)
def test_half_a_character_as_cut_off_by_a_sender_is_the_fault_of_one_event(
    token: str, key: APIKey, escape: str, status: str
) -> None:
    event = json.dumps(make_event(api_key_id=key.public_id), default=str)
    odd = event.replace("event-1", escape)
    broken = event.replace("event-1", "with space")
    answer = json.loads(post(f"[{odd},{event},{broken}]".encode(), token).content)
    assert [result["status"] for result in answer["results"]] == [status, "accepted", "rejected"]


def test_lateness_is_judged_by_the_databases_clock_to_the_limit(token: str, key: APIKey) -> None:
    now = database_now()
    ages = [
        timedelta(seconds=-295),
        timedelta(seconds=-310),
        timedelta(days=59, hours=23),
        timedelta(days=60, seconds=5),
    ]
    events = [make_event(api_key_id=key.public_id, timestamp=now - age) for age in ages]
    assert send(events, token) == ["accepted", "in_the_future", "accepted", "too_old"]


def test_a_key_that_ended_takes_usage_from_before_its_end_only(token: str, world: World) -> None:
    expired = make_key(world.rita, expires_at=days_ago(3))
    revoked = make_key(world.rita)
    with routing_change():
        keys.revoke_api_key(api_key=revoked, now=days_ago(3))
    for api_key in (expired, revoked):
        moments = [days_ago(4), days_ago(3), days_ago(2)]
        events = [make_event(api_key_id=api_key.public_id, timestamp=at, id=api_key.public_id) for at in moments]
        assert send(events, token) == ["accepted", "key_ended", "key_ended"]


def test_parts_that_overlap_are_named(token: str, key: APIKey) -> None:
    """The counters of a Realtime response as they are: 64 of the audio tokens are cached, and would count twice."""
    counters = {"input_tokens": 1_459, "input_cached_tokens": 1_408, "input_audio_tokens": 110}
    counters |= {"output_tokens": 396, "output_audio_tokens": 299}
    event = make_event(api_key_id=key.public_id, **counters)
    [result] = json.loads(post(event, token).content)["results"]
    assert result["code"] == "parts_exceed_whole"
    assert result["message"] == (
        "`input_cached_tokens` (1408) and `input_audio_tokens` (110), together 1518, exceed `input_tokens` (1459), of which they"
        " are separate parts. A token counts in one of them: cached audio is in `input_cached_tokens`, and `input_audio_tokens`"
        " is the audio that was not cached."
    )
    assert send({**event, "input_audio_tokens": 110 - 64}, token) == ["accepted"]
