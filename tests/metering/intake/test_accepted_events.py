"""`POST /v1/usage/events`: the forms in which events are taken."""

import gzip
import json
from datetime import timedelta
from typing import Any

import pytest

from apikeys.models import APIKey
from metering.measures import MEASURES
from metering.models import Model, UsageEvent
from metering.price_words import DIMENSIONS
from tests.engine import (
    days_ago,
    error_of,
    make_event,
    make_key_and_secret,
    num_events,
    post,
    send,
)
from tests.world import World

MOST = 10**12
MAX_BODY_BYTES = 10 * 1024 * 1024


def test_one_object_is_answered_with_its_outcome(token: str, key: APIKey) -> None:
    response = post(make_event(api_key_id=key.public_id), token)
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert json.loads(response.content) == {
        "accepted": 1,
        "duplicates": 0,
        "rejected": 0,
        "results": [{"index": 0, "status": "accepted"}],
    }
    assert num_events() == 1


def test_an_object_over_several_lines_is_one_event(token: str, key: APIKey) -> None:
    event = make_event(api_key_id=key.public_id, timestamp=days_ago(1).isoformat())
    assert send(json.dumps(event, indent=2).encode(), token) == ["accepted"]


def test_an_array_is_answered_in_its_order(token: str, key: APIKey) -> None:
    events = [make_event(id=f"event-{number}", api_key_id=key.public_id) for number in (3, 1, 2, 1)]
    assert send(events, token) == ["accepted", "accepted", "accepted", "duplicate"]
    assert num_events() == 3


def test_an_empty_array_is_nothing_to_do(token: str) -> None:
    assert send([], token) == []
    assert num_events() == 0


@pytest.mark.parametrize(
    "content_type",
    ["application/x-ndjson", "application/ndjson", "application/json", "application/x-www-form-urlencoded"],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\n\n"])
def test_ndjson_is_one_event_a_line_whatever_it_is_declared_as(
    token: str, key: APIKey, content_type: str, newline: str
) -> None:
    lines = [json.dumps(make_event(id=f"event-{number}", api_key_id=key.public_id), default=str) for number in range(3)]
    body = (newline.join(lines) + newline).encode()
    response = post(body, token, content_type=content_type)
    assert json.loads(response.content)["accepted"] == 3


def test_one_unreadable_line_of_ndjson_leaves_the_others(token: str, key: APIKey) -> None:
    good = json.dumps(make_event(api_key_id=key.public_id), default=str)
    other = json.dumps(make_event(id="event-2", api_key_id=key.public_id), default=str)
    body = f'{good}\n{{"id": "cut o\n{other}\n'.encode()
    response = post(body, token, content_type="application/x-ndjson")
    results = json.loads(response.content)["results"]
    assert [result["status"] for result in results] == ["accepted", "rejected", "accepted"]
    assert results[1]["code"] == "invalid_json"
    assert num_events() == 2


NOTHINGS = [
    *({name: None} for name in ("organization", "service_tier", "batch", "corrects", *DIMENSIONS, *MEASURES)),
    *({name: ""} for name in ("organization", "service_tier", "corrects", *DIMENSIONS)),
    {"organization": "", "corrects": None, "batch": None, "service_tier": None, "images": None},
]


@pytest.mark.parametrize("nothing", NOTHINGS, ids=str)
def test_null_or_an_empty_text_in_an_optional_field_is_the_same_as_no_field(
    token: str, key: APIKey, nothing: dict[str, Any]
) -> None:
    """Alone, beside an event that does not have it, and a line of NDJSON; then told from none by its id alone."""
    event = make_event(id="without", api_key_id=key.public_id)
    without = {name: value for name, value in event.items() if name not in nothing}
    full = [{**event, "id": f"with-{number}", **nothing} for number in range(3)]
    assert send(json.dumps(full[0], default=str).encode(), token) == ["accepted"]
    assert send(json.dumps([without, full[1]], default=str).encode(), token) == ["accepted", "accepted"]
    lines = "\n".join(json.dumps(each, default=str) for each in (without, full[2]))
    assert send(lines.encode(), token) == ["duplicate", "accepted"]
    stored = {tuple(row) for row in UsageEvent.objects.values_list("organization_id", "sku_id", "routing", *MEASURES)}
    assert len(stored) == 1
    assert num_events() == 4


def test_null_and_an_empty_text_in_the_place_of_the_senders_own_key(world: World) -> None:
    own, secret = make_key_and_secret(world.alice)
    bodies = [{**make_event(id=f"event-{name}"), "api_key_id": name} for name in (None, "", own.public_id)]
    assert send(json.dumps(bodies, default=str).encode(), secret) == ["accepted"] * 3


def test_a_model_may_be_null_where_it_may_be_absent(token: str, key: APIKey) -> None:
    event = {**make_event(api_key_id=key.public_id), "usage_type": "web_search_calls", "model": None}
    del event["input_tokens"], event["output_tokens"]
    assert send(json.dumps(event, default=str).encode(), token) == ["accepted"]


def test_gzip_is_unpacked(token: str, key: APIKey) -> None:
    body = gzip.compress(json.dumps([make_event(api_key_id=key.public_id)], default=str).encode())
    response = post(body, token, **{"Content-Encoding": "gzip"})
    assert json.loads(response.content)["accepted"] == 1


def test_ten_thousand_events_are_taken_and_one_more_is_refused(token: str, key: APIKey) -> None:
    events = [
        make_event(id=f"event-{number}", api_key_id=key.public_id, timestamp=1_000_000_000) for number in range(10_001)
    ]
    assert error_of(events, token) == (413, "too_many_events")
    assert error_of("\n".join(json.dumps(event) for event in events).encode(), token) == (413, "too_many_events")
    assert send(events[:10_000], token) == ["too_old"] * 10_000


def test_a_body_of_exactly_the_limit_is_read_and_one_byte_more_is_not(token: str, key: APIKey) -> None:
    event = json.dumps(make_event(api_key_id=key.public_id), default=str).encode()
    assert send(event.ljust(MAX_BODY_BYTES), token) == ["accepted"]
    assert error_of(event.ljust(MAX_BODY_BYTES + 1), token) == (413, "body_too_large")


def test_a_timestamp_is_rfc_3339_in_any_zone_or_unix_seconds_and_all_are_one_moment(token: str, key: APIKey) -> None:
    at = days_ago(1)
    forms: list[Any] = [
        f"{at:%Y-%m-%dT%H:%M:%SZ}",
        f"{at + timedelta(hours=9):%Y-%m-%dT%H:%M:%S}+09:00",
        f"{at - timedelta(hours=3, minutes=30):%Y-%m-%dT%H:%M:%S.000}-03:30",
        int(at.timestamp()),
        at.timestamp(),
    ]
    events = [make_event(api_key_id=key.public_id, timestamp=form) for form in forms]
    assert send(events, token) == ["accepted", *["duplicate"] * 4]
    assert UsageEvent.objects.get().occurred_at == at


def test_ids_and_models_may_hold_any_visible_characters(token: str, key: APIKey) -> None:
    texts = ["a\\b", 'quote"d', "tab\\t", "\\N", "\\.", "{}", "ключ-🔑", "x" * 64, "null", "é", "e\u0301"]
    events = [make_event(id=text, model=f"model/{text}", api_key_id=key.public_id) for text in texts]
    assert send(events, token) == ["accepted"] * len(texts)
    assert send(events, token) == ["duplicate"] * len(texts)
    assert set(Model.objects.values_list("name", flat=True)) == {f"model/{text}" for text in texts}


def test_the_largest_number_that_an_event_may_have_is_taken_as_it_is(token: str, key: APIKey) -> None:
    assert send(make_event(api_key_id=key.public_id, input_tokens=MOST, input_cached_tokens=MOST), token) == [
        "accepted"
    ]
    stored = UsageEvent.objects.get()
    assert (stored.input_tokens, stored.input_cached_tokens) == (MOST, MOST)


def test_usage_that_is_of_no_model_needs_no_name(token: str, key: APIKey) -> None:
    event = make_event(
        api_key_id=key.public_id,
        usage_type="vector_stores",
        usage_bytes=5,
        model=None,
        input_tokens=None,
        output_tokens=None,
    )
    assert send(event, token) == ["accepted"]
    assert Model.objects.get().name == "vector_stores"
