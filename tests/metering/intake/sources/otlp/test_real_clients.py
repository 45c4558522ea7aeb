"""Providers' clients with published instrumentations and OpenTelemetry's own exporter, all unchanged, over recorded answers."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import pytest
from pytest_django.live_server_helper import LiveServer

from metering.ingestion_models import Kind
from metering.intake.sources.otlp.leaves import COUNTED_BESIDE, COUNTED_INSIDE
from tests.engine import make_key, make_token
from tests.metering.intake.sources.otlp import instrumented
from tests.metering.intake.sources.otlp.requests import counted, stored
from tests.world import World

SECONDS: Final = 120
COLUMNS: Final = (
    *("usage_type", "model", "input_tokens", "input_cached_tokens", "input_cache_write_tokens", "output_tokens"),
    "num_model_requests",
)
CHAT: Final = {
    "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    "object": "chat.completion",
    "created": 1741569952,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 1100,
        "completion_tokens": 10,
        "total_tokens": 1110,
        "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    },
    "service_tier": "default",
}
EMBEDDINGS: Final = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
}
MESSAGE: Final = {
    "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-4-6",
    "content": [{"type": "text", "text": "Hello!"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 21,
        "cache_creation_input_tokens": 700,
        "cache_read_input_tokens": 188,
        "output_tokens": 393,
        "service_tier": "standard",
    },
}
CONVERSE: Final = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello!"}]}},
    "stopReason": "end_turn",
    "usage": {
        "inputTokens": 21,
        "outputTokens": 393,
        "totalTokens": 1302,
        "cacheReadInputTokens": 188,
        "cacheWriteInputTokens": 700,
    },
    "metrics": {"latencyMs": 551},
}
ANSWERS: Final[Mapping[str, Any]] = {
    "/v1/chat/completions": CHAT,
    "/v1/embeddings": EMBEDDINGS,
    "/v1/messages": MESSAGE,
    "/model/anthropic.claude-opus-4-6-v1%3A0/converse": CONVERSE,
}
CHAT_EVENT: Final = ("completions", "gpt-4o-2024-08-06", 1100, 1024, 0, 10, 1)
EMBEDDINGS_EVENT: Final = ("embeddings", "text-embedding-3-small", 8, 0, 0, 0, 1)
MESSAGE_EVENT: Final = ("completions", "claude-opus-4-6", 909, 188, 700, 393, 1)
CONVERSE_EVENT: Final = ("completions", "claude-opus-4-6-v1:0", 909, 188, 700, 393, 1)
BOTH: Final = {COUNTED_INSIDE: 1, COUNTED_BESIDE: 1}


class Provider(BaseHTTPRequestHandler):
    """Answers each call with what is recorded for its path."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps(ANSWERS[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing is said."""


@pytest.fixture
def provider() -> Iterator[str]:
    """The address of a provider with recorded answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def run(server: LiveServer, token: str, key: str, *arguments: str) -> None:
    """The application, to its end; its exporter must have nothing to complain of."""
    result = subprocess.run(
        [sys.executable, "-m", instrumented.__name__, *arguments],
        env={
            "PATH": os.environ["PATH"],
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{server.url}/v1/traces",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": f"Authorization=Bearer%20{token},X-Usage-Api-Key-Id={key}",
            "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "gzip",
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (result.returncode, "rror" in result.stderr) == (0, False), result.stderr


@pytest.mark.parametrize(
    ("calls", "instrumentations", "events", "ignored"),
    [
        ("chat,embeddings", "genai-openai", [CHAT_EVENT, EMBEDDINGS_EVENT], {}),
        ("messages", "", [MESSAGE_EVENT], {}),  # by the client itself
        ("messages", "openllmetry-anthropic", [MESSAGE_EVENT], {COUNTED_BESIDE: 1}),
        ("messages", "openinference-anthropic", [MESSAGE_EVENT], {COUNTED_INSIDE: 1}),
        ("messages", "openinference-anthropic,openllmetry-anthropic", [MESSAGE_EVENT], BOTH),
        ("converse", "openllmetry-bedrock", [CONVERSE_EVENT], {}),
    ],
)
def test_calls_become_events_to_the_token_and_count_once_however_many_have_seen_them(  # noqa: PLR0917 - fixtures and cases
    world: World,
    live_server: LiveServer,
    provider: str,
    calls: str,
    instrumentations: str,
    events: list[tuple[Any, ...]],
    ignored: dict[str, int],
) -> None:
    key = make_key(world.rita)
    run(live_server, make_token(), key.public_id, provider, calls, instrumentations)
    assert sorted(stored(*COLUMNS, "api_key_id")) == sorted((*event, key.id) for event in events)
    assert counted(Kind.IGNORED) == {"no_model_request": 1, **ignored}
    assert counted(Kind.REJECTED) == {}
