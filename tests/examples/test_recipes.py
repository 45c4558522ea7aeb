"""The recipes of docs/ for senders that people run already, each as it stands there, against this server."""

import base64
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from pytest_django.live_server_helper import LiveServer

from apikeys.models import APIKey
from metering.ingestion_models import Kind
from tests.engine import days_ago, make_key, make_token
from tests.examples.recipes import ROOT, block, exported, filled, page, run
from tests.examples.test_gateway import serving
from tests.metering.intake.sources.otlp.requests import counted, stored
from tests.metering.intake.sources.otlp.test_real_clients import Provider
from tests.world import World

PUBLIC: Final = "https://usage.example.com"
RECORDED: Final = Path(__file__).parent / "recorded"
COLUMNS: Final = (
    *("usage_type", "model", "input_tokens", "input_cached_tokens", "input_cache_write_tokens", "output_tokens"),
)
CHAT: Final = ("completions", "gpt-4o-2024-08-06", 1100, 1024, 0, 10)
MESSAGE: Final = ("completions", "claude-opus-4-6", 909, 188, 700, 393)
CONVERSE: Final = ("completions", "claude-opus-4-6-v1:0", 909, 188, 700, 393)
EMBEDDING: Final = ("embeddings", "text-embedding-3-small", 8, 0, 0, 0)
CALL_OPENAI: Final = """
import openai
client = openai.OpenAI(base_url="{provider}/v1", api_key="none")
client.chat.completions.create(model="gpt-4o", messages=[{{"role": "user", "content": "Hello"}}])
trace.get_tracer_provider().shutdown()
"""
CALL_OTHERS: Final = """
import anthropic, boto3
client = anthropic.Anthropic(base_url="{provider}", api_key="none")
client.messages.create(model="claude-opus-4-6", max_tokens=9, messages=[{{"role": "user", "content": "Hello"}}])
keys = {{"aws_access_key_id": "none", "aws_secret_access_key": "none"}}
bedrock = boto3.client("bedrock-runtime", endpoint_url="{provider}", region_name="us-east-1", **keys)
hello = [{{"role": "user", "content": [{{"text": "Hello"}}]}}]
bedrock.converse(modelId="anthropic.claude-opus-4-6-v1:0", messages=hello)
trace.get_tracer_provider().shutdown()
"""


@dataclass(frozen=True)
class Reader:
    """Who follows a page: with a server, a token and a key."""

    url: str
    token: str
    key: APIKey

    def exports(self) -> dict[str, str]:
        """What the page “Connect your gateway” has had set by then."""
        return {"USAGE_URL": self.url, "USAGE_TOKEN": self.token, "KEY_ID": self.key.public_id}

    def sh(self, recipe: str, **values: str) -> str:
        return run("sh", "-c", filled(recipe, values), **self.exports())

    def variables(self, recipe: str) -> dict[str, str]:
        return exported(recipe, **self.exports())


@pytest.fixture
def reader(live_server: LiveServer, world: World) -> Reader:
    return Reader(live_server.url, make_token(), make_key(world.rita))


@pytest.fixture
def provider() -> Iterator[str]:
    """The address of a provider with recorded answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server, serving(server) as address:
        yield address


def test_the_opentelemetry_sdk(reader: Reader, provider: str) -> None:
    text = page("opentelemetry.md")
    python = block(text, "python") + CALL_OPENAI.format(provider=provider)
    run(sys.executable, "-c", python, **reader.variables(block(text, "sh")))
    assert stored(*COLUMNS, "api_key_id") == [(*CHAT, reader.key.pk)]


def test_openllmetrys_instrumentations_under_the_sdk(reader: Reader, provider: str) -> None:
    text = page("opentelemetry.md")
    python = block(text, "python") + block(page("openllmetry.md"), "python", "from opentelemetry")
    python += CALL_OTHERS.format(provider=provider)
    run(sys.executable, "-c", python, AWS_EC2_METADATA_DISABLED="true", **reader.variables(block(text, "sh")))
    assert sorted(stored(*COLUMNS)) == sorted([MESSAGE, CONVERSE])
    assert counted(Kind.REJECTED) == {}


def test_openllmetrys_sdk(reader: Reader, provider: str) -> None:
    """It adds `/v1/traces` to its address and gives both to OpenTelemetry's exporter; the SDK itself is not run here."""
    said = reader.variables(block(page("openllmetry.md"), "sh"))
    address = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{said['TRACELOOP_BASE_URL']}/v1/traces"}
    headers = {"OTEL_EXPORTER_OTLP_TRACES_HEADERS": said["TRACELOOP_HEADERS"]}
    python = block(page("opentelemetry.md"), "python") + CALL_OPENAI.format(provider=provider)
    run(sys.executable, "-c", python, **address, **headers)
    assert stored(*COLUMNS, "api_key_id") == [(*CHAT, reader.key.pk)]


@pytest.mark.parametrize(
    ("recording", "sums"),
    [("vercel_7", 5), ("vercel_legacy", 3)],
    ids=["version 7", "the spans of version 6 and before"],
)
def test_the_vercel_ai_sdk(reader: Reader, recording: str, sums: int, tmp_path: Path) -> None:
    """What its exporter sent of two texts and an embedding, moved to yesterday. Only the calls count, by every name."""
    variables = reader.variables(block(page("vercel-ai-sdk.md"), "sh"))
    headers = dict(header.split("=", 1) for header in variables["OTEL_EXPORTER_OTLP_TRACES_HEADERS"].split(","))
    arguments = [part for name, value in headers.items() for part in ("-H", f"{name}: {value.replace('%20', ' ')}")]
    arguments += ["-H", "Content-Type: application/x-protobuf", "--data-binary", f"@{recorded(recording, tmp_path)}"]
    run("curl", "--fail-with-body", variables["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"], *arguments)
    assert sorted(stored(*COLUMNS, "api_key_id")) == sorted(
        (*event, reader.key.pk) for event in (CHAT, MESSAGE, EMBEDDING)
    )
    assert sum(counted(Kind.IGNORED).values()) == sums
    assert counted(Kind.REJECTED) == {}


def test_cloudevents(reader: Reader) -> None:
    recipe = block(page("cloudevents.md"), "sh")
    told = reader.sh(recipe)
    assert json.loads(told)["accepted"] == 1
    assert stored("model", "input_tokens", "output_tokens") == [("gpt-4o", 1000, 200)]


def test_openmeters_client(reader: Reader) -> None:
    values = {PUBLIC: reader.url, "it-…": reader.token, "key_…": reader.key.public_id, "served_at": "served_at()"}
    recipe = filled(block(page("cloudevents.md"), "python"), values)
    served_at = f"import datetime\ndef served_at():\n    return datetime.datetime.fromisoformat('{days_ago(1)}')\n"
    run(sys.executable, "-c", served_at + recipe)
    assert stored("model", "input_tokens", "output_tokens") == [("gpt-4o", 1000, 200)]


def test_answers_of_providers(reader: Reader) -> None:
    text = page("provider-responses.md")
    assert json.loads(reader.sh(block(text, "sh"))) == json.loads(block(text, "json"))
    assert stored(*COLUMNS) == [MESSAGE]


def test_events_in_one_piece_packed_and_corrected(reader: Reader, tmp_path: Path) -> None:
    text = page("events.md")
    noted, _, first = block(text, "sh", "SERVED_AT=").partition("\n\n")
    at = f"SERVED_AT={run('sh', '-c', f'{noted}; printf %s $SERVED_AT')}\n"
    assert json.loads(reader.sh(at + first)) == json.loads(block(text, "json"))
    corrections = reader.sh(at + block(text, "sh", "curl"))
    assert json.loads(corrections)["accepted"] == 2
    assert sorted(stored("input_tokens")) == [(-1200,), (1100,), (1200,)]
    event = {"id": "b", "timestamp": days_ago(1).isoformat(), "api_key_id": reader.key.public_id, "model": "m"}
    (tmp_path / "events.ndjson").write_text(json.dumps(event | {"usage_type": "completions"}) + "\n", encoding="utf-8")
    packed = reader.sh(block(text, "sh", "gzip"), **{"events.ndjson": str(tmp_path / "events.ndjson")})
    assert json.loads(packed)["accepted"] == 1


def test_no_page_that_tells_how_to_send_is_forgotten() -> None:
    """The recipes of connect.md and litellm.md have tests of their own."""
    tested = {"opentelemetry.md", "openllmetry.md", "vercel-ai-sdk.md", "cloudevents.md", "provider-responses.md"}
    tested |= {"events.md", "connect.md", "litellm.md"}
    ways = ("/v1/usage/", "/v1/traces", "/v1/integrations/", "/api/v1/events")
    pages = {path.name: page(path.name).split("```")[1::2] for path in (ROOT / "docs").glob("*.md")}
    telling = {name for name, blocks in pages.items() if any(way in text for text in blocks for way in ways)}
    assert telling <= tested


def recorded(name: str, directory: Path) -> Path:
    """The file of a request in protobuf, made of the recording, whose spans ended yesterday."""
    found: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    for resource_spans in found["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for span in scope_spans["spans"]:
                span["endTimeUnixNano"] = int(days_ago(1).timestamp()) * 10**9
                for id_ in {"traceId", "spanId", "parentSpanId"} & span.keys():
                    span[id_] = base64.b64encode(bytes.fromhex(span[id_])).decode()
    message = json_format.ParseDict(found, trace_service_pb2.ExportTraceServiceRequest())
    path = directory / f"{name}.bin"
    path.write_bytes(message.SerializeToString())
    return path
