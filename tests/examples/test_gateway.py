"""`examples/gateway.py`: callers get the provider's answer, and its usage is theirs; keys that may not are refused."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import gateway as example
import pytest
from django.db import transaction
from gateway import Gateway, Keys
from pytest_django.live_server_helper import LiveServer
from usage_client import UsageClient

from accounts.clock import database_now
from apikeys.keys import keys as api_keys
from apikeys.models import APIKey
from metering.models import UsageEvent
from tests.engine import make_key_and_secret, make_token, num_events
from tests.world import World

USAGE = {"prompt_tokens": 21, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 5}}
ANSWER = {"id": "chatcmpl-1", "model": "gpt-4o-2024-08-06", "choices": [{"message": {"content": "Hi"}}], "usage": USAGE}
PARTS = [{**ANSWER, "usage": None}, {**ANSWER, "choices": []}]


class Provider(BaseHTTPRequestHandler):
    """Answers as OpenAI does, in one piece or as a stream, which tells its usage only to those who ask for it."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Authorization"] == "Bearer provider-key"
        self.send_response(400 if asked["model"] == "none" else 200)
        self.end_headers()
        if asked["model"] == "none":
            self.wfile.write(b'{"error": "no such model"}')
        elif asked.get("stream"):
            parts = PARTS if asked["stream_options"]["include_usage"] else PARTS[:1]
            self.wfile.write(
                b"".join(b"data: %s\n\n" % json.dumps(part).encode() for part in parts) + b"data: [DONE]\n\n"
            )
        else:
            self.wfile.write(json.dumps(ANSWER).encode())

    def log_message(self, *_said: Any) -> None: ...


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


Ask = Callable[..., tuple[int, bytes]]


@pytest.fixture
def usage(live_server: LiveServer, world: World) -> Iterator[UsageClient]:
    client = UsageClient(live_server.url, make_token(), path="/v1/usage/responses", interval_seconds=0.02)
    yield client
    client.close()


@pytest.fixture
def ask(live_server: LiveServer, usage: UsageClient) -> Iterator[Ask]:
    """Asks the gateway: (status, answer)."""
    with ExitStack() as stack:
        provider = stack.enter_context(serving(ThreadingHTTPServer(("127.0.0.1", 0), Provider)))
        found = Keys(live_server.url, make_token("verifier"))
        server = Gateway(("127.0.0.1", 0), keys=found, usage=usage, provider_url=provider, provider_key="provider-key")
        url = stack.enter_context(serving(server))

        def ask(secret: str, path: str = example.PATH, **said: Any) -> tuple[int, bytes]:
            body = json.dumps({"model": "gpt-4o", **said}).encode()
            request = urllib.request.Request(url + path, body, {"Authorization": f"Bearer {secret}"})  # noqa: S310 - our own server
            try:
                with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own server
                    return answer.status, answer.read()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read()

        yield ask


@pytest.fixture
def caller(world: World, usage: UsageClient) -> tuple[APIKey, str]:
    return make_key_and_secret(world.rita)


@pytest.mark.parametrize("stream", [False, True])
def test_the_answer_passes_through_and_its_usage_is_the_callers(
    ask: Ask, usage: UsageClient, caller: tuple[APIKey, str], stream: bool
) -> None:
    status, answer = ask(caller[1], stream=stream)
    assert status == 200
    assert answer.endswith(b"data: [DONE]\n\n") if stream else json.loads(answer) == ANSWER
    assert usage.flush()
    event = UsageEvent.objects.get()
    assert event.api_key_id == caller[0].pk
    assert (event.input_tokens, event.input_cached_tokens, event.output_tokens) == (21, 5, 4)
    assert (usage.refused, usage.dropped) == (0, 0)


def test_keys_that_may_not_are_refused_with_the_reason(
    ask: Ask, usage: UsageClient, caller: tuple[APIKey, str]
) -> None:
    assert ask("sk-nobody")[0] == 401
    assert ask("")[0] == 401
    assert ask(caller[1], path="/v1/models")[0] == 404
    with transaction.atomic():
        api_keys.revoke_api_key(api_key=caller[0], now=database_now())
    status, answer = ask(caller[1])
    assert (status, json.loads(answer)["error"]["code"]) == (401, "revoked")
    assert num_events() == 0


def test_an_error_of_the_provider_is_the_callers_answer_and_no_usage(
    ask: Ask, usage: UsageClient, caller: tuple[APIKey, str]
) -> None:
    assert ask(caller[1], model="none") == (400, b'{"error": "no such model"}')
    assert usage.flush()
    assert num_events() == 0


def test_verdicts_are_remembered_for_a_while_and_longer_while_nobody_answers(
    live_server: LiveServer, caller: tuple[APIKey, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keys(live_server.url, make_token("verifier"))
    assert keys.verdict(caller[1], "gpt-4o")["allowed"]
    monkeypatch.setattr(keys, "_address", "http://127.0.0.1:9/v1/keys/verify")
    assert keys.verdict(caller[1], "gpt-4o")["allowed"]
    assert keys.verdict(caller[1], "gpt-5") == example.UNKNOWN
    monkeypatch.setattr(example, "VERDICT_SECONDS", 0.0)
    assert keys.verdict(caller[1], "gpt-4o")["allowed"]
    monkeypatch.setattr(example, "STALE_SECONDS", 0.0)
    assert keys.verdict(caller[1], "gpt-4o") == example.UNKNOWN
