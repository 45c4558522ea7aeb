"""`metering.intake.fast_path`: what is answered there is what Django would answer, and all else goes to Django."""

import io
import json
import logging
from collections.abc import Iterable
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import OperationalError, connection
from django.test import Client
from django.urls import reverse

from metering.intake import api
from metering.intake.fast_path import EVENTS_PATH, EventsFirst
from tests.engine import make_event, make_key, make_token, num_events
from tests.world import World

pytestmark = pytest.mark.django_db
Parts = tuple[str, dict[str, str], bytes]
"""Status, headers in lower case, body."""


@pytest.fixture(autouse=True)
def keep_connection(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that the test's transaction is open on, as Django's test client does."""
    if "transactional_db" not in request.fixturenames:
        monkeypatch.setattr("metering.intake.fast_path.close_old_connections", lambda: None)


def short_road(method: str, path: str, body: bytes = b"", **environ: str) -> Parts:
    """The answer through WSGI; Django's, were it asked, would be a teapot's."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        started.append((status, headers))

    def django(_environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        start("418 I'm a Teapot", [])
        return [b""]

    request = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/json",
        "wsgi.input": io.BytesIO(body),
        **environ,
    }
    pieces = b"".join(EventsFirst(django)(request, start_response))
    ((status, headers),) = started
    assert len({name.lower() for name, _ in headers}) == len(headers)
    return status, {name.lower(): value for name, value in headers}, pieces


def by_django(method: str, body: bytes = b"", **environ: str) -> Parts:
    """The answer of the whole product but for its short road."""
    response = Client().generic(method, EVENTS_PATH, body, content_type="application/json", **environ)  # type: ignore[arg-type]
    headers = {name.lower(): value for name, value in response.items()}
    return f"{response.status_code} {response.reason_phrase}", headers, response.content


def test_the_address_is_the_one_that_django_knows() -> None:
    assert reverse("metering_api:usage_events") == EVENTS_PATH


def test_an_accepted_event_a_refused_one_and_refused_requests_are_answered_as_by_django(world: World) -> None:
    token, key = f"Bearer {make_token()}", make_key(world.rita)
    good = make_event(api_key_id=key.public_id)
    events = json.dumps([good, {**good, "id": " "}], default=lambda moment: moment.isoformat()).encode()
    first = short_road("POST", EVENTS_PATH, events, HTTP_AUTHORIZATION=token)
    assert first[0] == "200 OK"
    assert json.loads(first[2])["accepted"] == num_events() == 1
    requests: list[tuple[str, bytes, dict[str, str]]] = [
        ("POST", events, {"HTTP_AUTHORIZATION": token}),
        ("POST", events, {}),
        ("POST", events, {"HTTP_AUTHORIZATION": token, "HTTP_CONTENT_ENCODING": "br"}),
        ("POST", b"[", {"HTTP_AUTHORIZATION": token}),
        ("POST", b"", {"HTTP_AUTHORIZATION": token}),
        ("GET", b"", {}),
    ]
    added_by_middleware_for_pages = {"cache-control", "content-security-policy", "vary", "x-frame-options"}
    for method, body, environ in requests:
        status, headers, answer = short_road(method, EVENTS_PATH, body, **environ)
        django_status, django_headers, django_answer = by_django(method, body, **environ)
        assert (status, answer) == (django_status, django_answer)
        assert headers.items() <= django_headers.items()
        assert django_headers.keys() - headers.keys() <= added_by_middleware_for_pages
    assert num_events() == 1


def test_other_addresses_are_left_to_django() -> None:
    for path in ("/", "/v1/usage/events/", "/v1/usage", ""):
        assert short_road("POST", path)[0].startswith("418")


@pytest.mark.usefixtures("transactional_db")
def test_a_connection_that_is_too_old_is_closed(world: World) -> None:
    token, key = f"Bearer {make_token()}", make_key(world.rita)
    event = json.dumps(make_event(api_key_id=key.public_id), default=lambda moment: moment.isoformat()).encode()
    backends = []
    for close_at in (None, 0.0):
        connection.close_at = close_at
        assert short_road("POST", EVENTS_PATH, event, HTTP_AUTHORIZATION=token)[0] == "200 OK"
        backends.append(connection.connection.info.backend_pid)
    assert backends[0] != backends[1]


def test_over_https_alone_events_in_clear_are_left_to_django_which_refuses_them(settings: LazySettings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_HSTS_SECONDS = 60
    assert short_road("POST", EVENTS_PATH)[0].startswith("418")
    assert short_road("POST", EVENTS_PATH, HTTP_X_FORWARDED_PROTO="http")[0].startswith("418")
    status, headers, _ = short_road("POST", EVENTS_PATH, HTTP_X_FORWARDED_PROTO="https")
    assert status == "401 Unauthorized"
    assert headers["strict-transport-security"] == "max-age=60"
    assert headers["x-content-type-options"] == "nosniff"


def test_an_error_of_ours_is_logged_and_answered(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(api, "answer", fail)
    with caplog.at_level(logging.ERROR, logger="django.request"):
        status, _, answer = short_road("POST", EVENTS_PATH)
    assert status == "500 Internal Server Error"
    assert json.loads(answer)["error"]["code"] == "internal_error"
    (record,) = [record for record in caplog.records if record.name == "django.request"]
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


def test_events_that_cannot_be_stored_are_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, world: World
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OperationalError("the server is on fire")

    monkeypatch.setattr("metering.intake.ingest.store", fail)
    token = f"Bearer {make_token()}"
    status, headers, _ = short_road("POST", EVENTS_PATH, b"[]", HTTP_AUTHORIZATION=token)
    assert (status, headers["retry-after"]) == ("503 Service Unavailable", "1")
    messages = [(record.name, record.getMessage()) for record in caplog.records]
    assert ("metering.intake.api", "Usage events could not be stored: the server is on fire") in messages
    assert ("django.request", "503 Service Unavailable: /v1/usage/events") in messages


@pytest.mark.parametrize("length", ["", "-5", "many", "0"])
def test_a_body_without_a_length_is_no_body(length: str, world: World) -> None:
    status, _, answer = short_road(
        "POST", EVENTS_PATH, b"[]", CONTENT_LENGTH=length, HTTP_AUTHORIZATION=f"Bearer {make_token()}"
    )
    assert (status, json.loads(answer)["error"]["code"]) == ("400 Bad Request", "empty_body")


def test_an_answer_without_content_has_no_length() -> None:
    status, headers, body = short_road("POST", "/api/v1/events", b"[]", HTTP_AUTHORIZATION=f"Bearer {make_token()}")
    assert (status, body) == ("204 No Content", b"")
    assert not {"content-length", "content-type"} & headers.keys()
