"""`usage_dashboard.web`: bodies however they come, headers that are not the proxy's, answers that are whole; without a server."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import pytest
from pytest_django import Settings

from usage_dashboard.web.answers import IN_MEMORY_BYTES, PIECE_BYTES
from usage_dashboard.web.application import Application
from usage_dashboard.web.bodies import Bodies, RefusedError
from usage_dashboard.web.environ import Environ, environ_of

EVENTS: Final = "/v1/usage/events"
FORM: Final = "/accounts/login/"
Headers = dict[str, str]
Messages = list[dict[str, Any]]
GONE: Final = {"type": "http.disconnect"}


class Answered:
    """What a client got, header names in lower case."""

    def __init__(self, sent: Messages) -> None:
        self.status: int = sent[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        self.body = b"".join(message["body"] for message in sent[1:])
        self.largest_piece = max(len(message["body"]) for message in sent[1:])
        assert [message["more_body"] for message in sent[1:]] == [True] * (len(sent) - 2) + [False]


def scope_of(method: str, path: str, headers: Iterable[tuple[str, str]] = ()) -> dict[str, Any]:
    raw_path, _, query = path.partition("?")
    return {
        "type": "http",
        "method": method,
        "path": raw_path,
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", "8000"),
        "client": ("10.0.0.9", "5555"),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }


def pieces(*bodies: bytes) -> Messages:
    """A body in these pieces, and its end."""
    return [{"type": "http.request", "body": body, "more_body": True} for body in bodies] + [
        {"type": "http.request", "body": b"", "more_body": False}
    ]


def ask(
    application: Application,
    path: str,
    coming: Messages | None = None,
    *,
    method: str = "POST",
    headers: Iterable[tuple[str, str]] = (),
) -> Answered:
    """The answer to one request. After the messages of `coming` nothing comes any more."""
    sent: Messages = []
    left = list(coming or [])

    async def receive() -> dict[str, Any]:
        if left:
            return left.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(application(scope_of(method, path, headers), receive, send))
    return Answered(sent)


def echo(environ: Environ, start_response: Any) -> list[bytes]:
    """An application that says what Django would see."""
    body = environ["wsgi.input"].read()
    seen = {name: value for name, value in environ.items() if isinstance(value, str | bool)}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({**seen, "body": body.decode("latin-1")}).encode()]


def seen(*arguments: Any, **named: Any) -> dict[str, Any]:
    answered = ask(Application(echo), *arguments, **named)
    assert answered.status == 200, answered.body
    found: dict[str, Any] = json.loads(answered.body)
    return found


@pytest.mark.parametrize("path", [EVENTS, "/v1/keys/verify", FORM])
def test_a_body_without_a_length_is_handed_over_whole_with_its_real_length(path: str) -> None:
    found = seen(path, pieces(b"one,", b"two"), headers=[("transfer-encoding", "chunked")])
    assert (found["body"], found["CONTENT_LENGTH"], found["wsgi.input_terminated"]) == ("one,two", "7", True)
    assert "HTTP_TRANSFER_ENCODING" not in found


def test_a_body_of_http_2_needs_no_header_at_all() -> None:
    assert seen(EVENTS, pieces(b"[]"))["body"] == "[]"


def test_a_body_with_a_length_is_whole_with_its_last_byte() -> None:
    assert seen(FORM, pieces(b"a=1")[:1], headers=[("content-length", "3")])["body"] == "a=1"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_request_without_a_body_waits_for_none(method: str) -> None:
    headers = [("content-length", "0")] if method == "POST" else []
    assert seen("/usage?a=%20b", method=method, headers=headers)["CONTENT_LENGTH"] == "0"


def test_the_address_is_described_as_wsgi_wants_it() -> None:
    found = seen("/caf%C3%A9?q=%C3%A9", method="GET")
    assert (found["PATH_INFO"], found["QUERY_STRING"]) == ("/cafÃ©", "q=%C3%A9")
    assert (found["REMOTE_ADDR"], found["SERVER_PORT"], found["SERVER_PROTOCOL"]) == ("10.0.0.9", "8000", "HTTP/1.1")


def test_a_header_with_an_underscore_never_wins_over_the_proxys() -> None:
    headers = [
        ("X_Forwarded_For", "6.6.6.6"),
        ("X-Forwarded-For", "1.2.3.4"),
        ("X_Forwarded_Proto", "https"),
        ("Content_Length", "99"),
        ("Content_Type", "text/evil"),
    ]
    found = environ_of(scope_of("GET", "/", headers))
    assert found["HTTP_X_FORWARDED_FOR"] == "1.2.3.4"
    assert not {"HTTP_X_FORWARDED_PROTO", "CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} & found.keys()


def test_headers_that_come_twice_are_one() -> None:
    headers = [("cookie", "a=1"), ("cookie", "b=2"), ("accept", "text/html"), ("accept", "*/*")]
    found = environ_of(scope_of("GET", "/", headers))
    assert (found["HTTP_COOKIE"], found["HTTP_ACCEPT"]) == ("a=1; b=2", "text/html,*/*")


@pytest.mark.parametrize(
    ("path", "setting"),
    [
        (EVENTS, "EVENTS_BODY_MAX_BYTES"),
        (FORM, "FORM_BODY_MAX_BYTES"),
        ("/v1/operator/batch", "OPERATOR_BATCH_MAX_BYTES"),
    ],
)
@pytest.mark.parametrize("is_declared", [True, False])
def test_a_body_has_a_largest_size_declared_or_not(
    settings: Settings, path: str, setting: str, is_declared: bool
) -> None:
    setattr(settings, setting, 10)
    headers = [("content-length", "11")] if is_declared else []
    refused = ask(Application(echo), path, [] if is_declared else pieces(b"12345", b"678901"), headers=headers)
    assert (refused.status, refused.headers["connection"]) == (413, "close")
    assert b"10 bytes" in refused.body
    assert seen(path, pieces(b"12345", b"67890"))["body"] == "1234567890"


def test_a_client_that_goes_away_in_mid_body_is_not_taken_for_one_that_has_sent_all() -> None:
    refused = ask(Application(echo), EVENTS, [*pieces(b"[]")[:1], GONE], headers=[("transfer-encoding", "chunked")])
    assert (refused.status, json.loads(refused.body)["error"]["code"]) == (400, "incomplete_body")


def test_a_body_that_takes_too_long_is_given_up(settings: Settings) -> None:
    settings.REQUEST_BODY_TIMEOUT_SECONDS = 0.05
    refused = ask(Application(echo), FORM, pieces(b"half")[:1], headers=[("content-length", "8")])
    assert (refused.status, refused.headers["connection"]) == (408, "close")
    assert refused.headers["content-type"].startswith("text/plain")


async def a_stalled(bodies: Bodies, *, num_bytes: int = 1) -> "asyncio.Task[bytes]":
    coming = pieces(bytes(num_bytes))[:1]

    async def receive() -> dict[str, Any]:
        if coming:
            return coming.pop()
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.create_task(bodies.take(receive, declared=None, most=10**9))
    await asyncio.sleep(0)
    return task


async def a_whole(bodies: Bodies, *, num_bytes: int = 1) -> bytes:
    coming = pieces(bytes(num_bytes))

    async def receive() -> dict[str, Any]:
        return coming.pop(0)

    return await bodies.take(receive, declared=None, most=10**9)


@pytest.mark.parametrize("limit", ["number", "memory"])
def test_beyond_the_limits_a_new_body_is_refused_at_once_and_taken_when_others_are_done(
    settings: Settings, limit: str
) -> None:
    settings.REQUEST_BODIES_MAX = 2 if limit == "number" else 10
    settings.REQUEST_BODIES_MAX_BYTES = 250_000

    async def fill() -> None:
        bodies = Bodies()
        first = await a_whole(bodies, num_bytes=100_000)
        await a_whole(bodies, num_bytes=100_000)
        with pytest.raises(RefusedError) as refused:
            await a_whole(bodies, num_bytes=100_000)
        assert (refused.value.status, refused.value.code) == (503, "too_busy")
        if limit == "memory":
            bodies.done(await a_whole(bodies))  # a small one of somebody else
        bodies.done(first)
        await a_whole(bodies, num_bytes=100_000)

    asyncio.run(fill())


@pytest.mark.parametrize("limit", ["number", "memory"])
def test_stalled_bodies_give_way_to_new_ones(settings: Settings, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usage_dashboard.web.bodies.GIVE_WAY_AFTER_SECONDS", 0.05)
    settings.REQUEST_BODIES_MAX = 2 if limit == "number" else 10
    settings.REQUEST_BODIES_MAX_BYTES = 250_000

    async def fill() -> None:
        bodies = Bodies()
        stalled = [await a_stalled(bodies, num_bytes=100_000) for _ in range(2)]
        await asyncio.sleep(0.1)
        bodies.done(await a_whole(bodies, num_bytes=100_000))
        with pytest.raises(RefusedError) as given_up:
            await stalled[0]
        assert (given_up.value.status, given_up.value.code) == (503, "too_busy")
        assert not stalled[1].done()
        stalled[1].cancel()

    asyncio.run(fill())


def test_of_large_bodies_the_slowest_gives_way(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usage_dashboard.web.bodies.GIVE_WAY_AFTER_SECONDS", 0.05)
    settings.REQUEST_BODIES_MAX_BYTES = 350_000

    async def fill() -> None:
        bodies = Bodies()
        fast, slow = [await a_stalled(bodies, num_bytes=size) for size in (200_000, 40_000)]
        await asyncio.sleep(0.1)
        young = [await a_stalled(bodies, num_bytes=size) for size in (20_000, 200_000)]
        with pytest.raises(RefusedError) as given_up:
            await slow
        assert given_up.value.status == 503
        assert not any(task.done() for task in (fast, *young))
        for task in (fast, *young):
            task.cancel()

    asyncio.run(fill())


def test_bodies_that_come_together_make_room_one_each(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usage_dashboard.web.bodies.GIVE_WAY_AFTER_SECONDS", 0.05)
    settings.REQUEST_BODIES_MAX = 3

    async def fill() -> None:
        bodies = Bodies()
        stalled = [await a_stalled(bodies) for _ in range(3)]
        await asyncio.sleep(0.1)
        taken = await asyncio.gather(*(a_whole(bodies) for _ in range(3)))
        assert taken == [b"\0"] * 3
        outcomes = await asyncio.gather(*stalled, return_exceptions=True)
        assert [outcome.status for outcome in outcomes if isinstance(outcome, RefusedError)] == [503] * 3

    asyncio.run(fill())


@pytest.mark.parametrize(("pace", "status"), [(2_000_000, None), (100_000, 408)])
def test_a_large_body_has_the_time_that_it_takes_at_the_least_pace(
    settings: Settings, pace: int, status: int | None
) -> None:
    settings.REQUEST_BODY_TIMEOUT_SECONDS = 0.1
    settings.REQUEST_BODY_MIN_BYTES_PER_SECOND = 400_000
    sizes = [100_000] * 8 if status is None else [20_000] * 8

    async def take() -> bytes:
        coming = pieces(*map(bytes, sizes))

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(sizes[0] / pace)
            return coming.pop(0)

        return await Bodies().take(receive, declared=None, most=10**9)

    if status is None:
        assert len(asyncio.run(take())) == sum(sizes)
        return
    with pytest.raises(RefusedError) as refused:
        asyncio.run(take())
    assert refused.value.status == status


def test_a_refusal_for_programs_is_json_with_the_time_to_try_again(settings: Settings) -> None:
    settings.REQUEST_BODIES_MAX = 0
    refused = ask(Application(echo), EVENTS, pieces(b"[]"))
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert json.loads(refused.body)["error"]["code"] == "too_busy"


def test_healthz_answers_when_every_thread_is_taken(settings: Settings) -> None:
    settings.WEB_THREADS = 0
    answered = ask(Application(echo), "/healthz", method="GET", headers=[("host", "10.1.2.3:8000")])
    assert (answered.status, answered.body) == (200, b"ok\n")


def answering(body: Callable[[], Iterable[bytes]]) -> Application:
    def application(_environ: Environ, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/csv")])
        return body()

    return Application(application)


def test_a_large_answer_is_sent_in_pieces_with_its_length() -> None:
    rows = [b"%07d\n" % number for number in range(IN_MEMORY_BYTES // 4)]
    answered = ask(answering(lambda: iter(rows)), "/export.csv", method="GET")
    assert answered.body == b"".join(rows)
    assert answered.headers["content-length"] == str(len(answered.body))
    assert answered.largest_piece == PIECE_BYTES


@pytest.mark.parametrize("num_bytes", [0, IN_MEMORY_BYTES * 2])
def test_of_an_answer_that_an_error_stops_nothing_is_sent(num_bytes: int, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Iterator[bytes]:
        yield bytes(num_bytes)
        raise ZeroDivisionError

    answered = ask(answering(broken), "/export.csv", method="GET")
    assert answered.status == 500
    assert len(answered.body) < 100
    assert "/export.csv" in caplog.text
