"""`POST /v1/usage/events`: requests of which nothing can be read are refused as a whole, with a stable code."""

import gzip
import json
from io import BytesIO
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from apikeys.models import APIKey
from metering.intake.bodies import bodies
from tests.engine import (
    ADDRESS,
    case_name,
    error_of,
    make_event,
    post,
)


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


def test_large_bodies_are_read_a_few_at_a_time_and_small_ones_pass_by(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "LARGE_WAIT_SECONDS", 0.01)
    large = b"[" + b" " * bodies.LARGE_BYTES + b"]"
    for _ in range(bodies.MAX_LARGE):
        bodies._large.acquire()
    try:
        for body, headers in ((large, {}), (gzip.compress(large), {"Content-Encoding": "gzip"})):
            response = post(body, token, **headers)
            assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
            assert json.loads(response.content)["error"]["code"] == "too_busy"
        assert post(b"[]", token).status_code == 200
    finally:
        bodies._large.release(bodies.MAX_LARGE)
    assert post(large, token).status_code == 200
    assert post(gzip.compress(large), token, **{"Content-Encoding": "gzip"}).status_code == 200


def test_an_event_of_too_much_text_is_rejected_and_its_neighbours_are_stored(token: str, key: APIKey) -> None:
    good = json.dumps(make_event(api_key_id=key.public_id), default=str).encode()
    huge = b'{"id":"' + b"x" * settings.USAGE_EVENT_MAX_TEXT_BYTES + b'"}'
    for body in (good + b"\n" + huge, b"[" + good + b"," + huge + b"]"):
        results = json.loads(post(body, token).content)["results"]
        assert [result.get("code") for result in results] == [None, "event_too_large"]


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
