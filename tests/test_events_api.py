"""`POST /v1/usage/events`: what goes in, and that every bad input has a stable code and leaves its neighbours unharmed."""

import gzip
import json
import zlib
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from django.urls import reverse

from accounts.changes import routing_change
from accounts.clock import database_now
from apikeys import keys
from apikeys.models import APIKey, IngestToken
from metering.middleware import EVENTS_PATH
from metering.models import Model, UsageEvent
from tests.engine import (
    ADDRESS,
    days_ago,
    make_event,
    make_key,
    make_key_and_secret,
    make_token,
    num_events,
    post,
    send,
)
from tests.world import World

MOST = 2**63 - 1
MAX_BODY_BYTES = 10 * 1024 * 1024


@pytest.fixture
def token(db: None) -> str:
    return make_token()


@pytest.fixture
def key(world: World) -> APIKey:
    return make_key(world.rita)


def error_of(body: Any, secret: str | None, **headers: str) -> tuple[int, str]:
    """(status, code) of a request that is refused as a whole, with a sentence, and of which nothing is stored."""
    before = num_events()
    response = post(body, secret, **headers)
    error = json.loads(response.content)["error"]
    assert error["message"].endswith(".")
    assert num_events() == before
    return response.status_code, error["code"]


# What is taken


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


def test_the_largest_whole_number_is_taken_as_it_is(token: str, key: APIKey) -> None:
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


# What one event is rejected for

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
    ({"service_tier": "gold"}, "unknown_service_tier"),
    ({"model": ""}, "invalid_model"),
    ({"model": " gpt-4o"}, "invalid_model"),
    ({"model": "x" * 129}, "invalid_model"),
    ({"model": "nul\x00"}, "invalid_model"),
    ({"model": 4}, "invalid_model"),
    ({"input_tokens": -1}, "invalid_measure"),
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
    ({"images": 1}, "foreign_measure"),
    ({"usage_type": "embeddings"}, "foreign_measure"),
    ({"api_key_id": "key_unknown"}, "unknown_api_key"),
    ({"api_key_id": "nul\x00"}, "unknown_api_key"),
    ({"api_key_id": "x" * 100_000}, "unknown_api_key"),
    ({"api_key_id": None}, "missing_api_key_id"),
    ({"organization": "org_unknown"}, "not_a_member"),
    ({"organization": "nul\x00"}, "not_a_member"),
    ({"organization": ""}, "not_a_member"),
    ({"corrects": ""}, "invalid_id"),
    ({"corrects": "x" * 65}, "invalid_id"),
    ({"corrects": "event-0", "input_tokens": -MOST - 1}, "invalid_measure"),
]


def case_name(value: Any) -> str:
    return (value if isinstance(value, str) else repr(value))[:60].encode("unicode_escape").decode()


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


# What a request is refused for


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "empty_body"),
        (b"  \n ", 400, "empty_body"),
        (b"hello", 400, "invalid_json"),
        (b"[1, 2", 400, "invalid_json"),
        (b'{"id": ', 400, "invalid_json"),
        (b'[{"id": "a"},]', 400, "invalid_json"),
        (b"\x00", 400, "invalid_json"),
        (b"\xef\xbb\xbf{}", 400, "invalid_json"),
        (b"[" * 100_000, 400, "invalid_json"),
        (b"[" * 100_000 + b"]" * 100_000, 400, "invalid_json"),
    ],
    ids=case_name,
)
def test_an_unreadable_body_is_refused_as_a_whole(token: str, body: bytes, status: int, code: str) -> None:
    assert error_of(body, token) == (status, code)


def test_a_deeply_nested_event_is_rejected_and_its_neighbours_are_stored(token: str, key: APIKey) -> None:
    good = json.dumps(make_event(api_key_id=key.public_id), default=str).encode()
    deep = b'{"id":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    response = post(good + b"\n" + deep, token)
    assert [result["status"] for result in json.loads(response.content)["results"]] == ["accepted", "rejected"]


def test_a_gzip_bomb_is_refused_unread(token: str) -> None:
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    bomb = b"".join([packer.compress(bytes(1 << 20)) for _ in range(64)]) + packer.flush()
    assert len(bomb) < 100_000
    assert error_of(bomb, token, **{"Content-Encoding": "gzip"}) == (413, "body_too_large")


PACKED = gzip.compress(b"[]", mtime=0)


@pytest.mark.parametrize("body", [b"not gzip", PACKED[:-4], PACKED + b"more", PACKED[:8], b""], ids=repr)
def test_what_is_no_whole_gzip_is_refused(token: str, body: bytes) -> None:
    assert error_of(body, token, **{"Content-Encoding": "gzip"}) == (400, "invalid_gzip")


def test_an_unknown_encoding_is_refused(token: str) -> None:
    assert error_of([], token, **{"Content-Encoding": "br"}) == (415, "unknown_encoding")


@pytest.mark.parametrize("length", ["-1", "ten", "1e3", ""])
def test_an_impossible_content_length_is_no_server_error(token: str, length: str) -> None:
    response = Client(headers={"Authorization": f"Bearer {token}"}).generic(
        "POST", ADDRESS, b"[]", CONTENT_LENGTH=length
    )
    assert response.status_code == 400


def test_a_body_that_ends_early_is_refused(token: str) -> None:
    cut_off: Any = {"CONTENT_LENGTH": "99", "wsgi.input": BytesIO(b"[]")}
    response = Client(headers={"Authorization": f"Bearer {token}"}).generic("POST", ADDRESS, **cut_off)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "incomplete_body")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_post_is_allowed(token: str, method: str) -> None:
    response = Client(headers={"Authorization": f"Bearer {token}"}).generic(method, ADDRESS, b"[]")
    assert (response.status_code, response["Allow"]) == (405, "POST")
    assert response.json()["error"]["code"] == "method_not_allowed"


# Who may send


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer it-unknown",
        "Bearer sk-unknown",
        "Bearer " + "x" * 10_000,
        "Bearer it-\x00",
        "Bearer ключ",
        "bearer\tit-unknown",
    ],
    ids=case_name,
)
def test_without_a_valid_secret_nobody_is_let_in(key: APIKey, token: str, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    response = post([make_event(api_key_id=key.public_id)], None, **headers)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert json.loads(response.content)["error"]["code"] == "unauthenticated"
    assert num_events() == 0


def test_strangers_learn_nothing_about_their_events(db: None) -> None:
    assert error_of(b"not json", "it-unknown") == (401, "unauthenticated")


def test_a_token_works_until_it_is_revoked_and_not_once_more(token: str, key: APIKey) -> None:
    assert send(make_event(api_key_id=key.public_id), token) == ["accepted"]
    with routing_change() as now:
        keys.revoke_ingest_token(token=IngestToken.objects.get(), now=now)
    assert error_of(make_event(id="event-2", api_key_id=key.public_id), token) == (401, "unauthenticated")


def test_a_key_works_until_it_is_revoked_and_not_once_more(world: World) -> None:
    api_key, secret = make_key_and_secret(world.rita)
    assert send(make_event(), secret) == ["accepted"]
    with routing_change() as now:
        keys.revoke_api_key(api_key=api_key, now=now)
    assert error_of(make_event(id="event-2"), secret) == (401, "unauthenticated")


def test_an_expired_key_opens_nothing(world: World) -> None:
    now = database_now()
    _, expired = make_key_and_secret(world.rita, expires_at=now - timedelta(seconds=1))
    _, valid = make_key_and_secret(world.rita, expires_at=now + timedelta(hours=1))
    assert error_of(make_event(), expired) == (401, "unauthenticated")
    assert send(make_event(), valid) == ["accepted"]


def test_who_may_not_send_any_more_leaves_no_model_behind(token: str, key: APIKey) -> None:
    with routing_change() as now:
        keys.revoke_ingest_token(token=IngestToken.objects.get(), now=now)
    post(make_event(api_key_id=key.public_id, model="leftover"), token)
    assert not Model.objects.filter(name="leftover").exists()


def test_a_key_reports_its_own_usage_and_no_others(world: World, key: APIKey) -> None:
    own, secret = make_key_and_secret(world.rita)
    events = [
        make_event(id="unnamed"),
        make_event(id="own", api_key_id=own.public_id),
        make_event(id="other", api_key_id=key.public_id),
        make_event(id="unknown", api_key_id="key_unknown"),
    ]
    assert send(events, secret) == ["accepted", "accepted", "forbidden_api_key", "forbidden_api_key"]
    assert set(UsageEvent.objects.values_list("api_key_id", flat=True)) == {own.id}


def test_a_new_key_is_known_at_once(token: str, world: World) -> None:
    assert send(make_event(api_key_id="key_none"), token) == ["unknown_api_key"]
    assert send(make_event(api_key_id=make_key(world.rita).public_id), token) == ["accepted"]


# When PostgreSQL is not there


@pytest.fixture
def reconnect(transactional_db: None) -> Iterator[None]:
    """Whatever the test did to its connection, the next one is another."""
    yield
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_without_postgresql_the_answer_is_503_and_the_retry_is_stored_once(world: World) -> None:
    token, key = make_token(), make_key(world.rita)
    event = make_event(api_key_id=key.public_id)
    body = [event, make_event(id="event-2", api_key_id=key.public_id)]
    assert send(event, token) == ["accepted"]
    host, connection.settings_dict["HOST"] = connection.settings_dict["HOST"], "/nowhere"
    connection.close()
    try:
        known = post(body, token)
        unknown = post(body, "it-not-seen-yet")
    finally:
        connection.settings_dict["HOST"] = host
        connection.close()
    for response in (known, unknown):
        assert (response.status_code, response["Retry-After"]) == (503, "1")
        assert json.loads(response.content)["error"]["code"] == "unavailable"
    assert send(body, token) == ["duplicate", "accepted"]
    assert num_events() == 2


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_breaks_is_503_and_loses_nothing(world: World, reconnect: None) -> None:
    token, key = make_token(), make_key(world.rita)
    assert send(make_event(api_key_id=key.public_id), token) == ["accepted"]
    events = [make_event(id="event-2", api_key_id=key.public_id)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
    finally:
        other.close()
    assert post(events, token).status_code == 503
    connection.close()
    assert send(events, token) == ["accepted"]
    assert num_events() == 2


@pytest.mark.django_db(transaction=True)
def test_a_database_that_takes_no_writes_is_503(world: World, reconnect: None) -> None:
    token, key = make_token(), make_key(world.rita)
    assert send(make_event(api_key_id=key.public_id), token) == ["accepted"]
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    response = post([make_event(id="event-2", api_key_id=key.public_id)], token)
    connection.close()
    assert (response.status_code, response["Retry-After"]) == (503, "1")
    assert num_events() == 1


def test_the_short_way_leads_to_the_same_address_as_the_site_map() -> None:
    assert reverse("metering_api:usage_events") == EVENTS_PATH
