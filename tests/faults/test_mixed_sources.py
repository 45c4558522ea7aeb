"""Usage by every way in at once, sent again until it is acknowledged, while processes die: each event counts once."""

import json
from contextlib import ExitStack
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2

from apikeys.models import APIKey
from metering.intake.sources.identity import id_of_two
from tests.faults.harness import Stack
from tests.faults.load import Events, Load, event_hash
from tests.faults.proof import Scenario

pytestmark = pytest.mark.faults
GATEWAY: Final = "gateway-1"


class Foreign(Events):
    """The same events in another format."""

    def body(self, numbers: Any) -> bytes:
        return json.dumps([self.made(self.event(number)) for number in numbers]).encode()

    def made(self, event: str) -> Any:
        return self.of(**json.loads(event))

    def of(self, **event: Any) -> Any:
        raise NotImplementedError


class Answers(Foreign):
    """Providers' answers."""

    path = "/v1/usage/responses"

    def of(self, **event: Any) -> Any:
        usage = {"prompt_tokens": event["input_tokens"], "completion_tokens": event["output_tokens"]}
        answer = {"id": event["id"], "model": event["model"], "usage": usage}
        said = {name: event[name] for name in ("timestamp", "api_key_id")}
        return {"provider": "openai", "response": answer, **said}


class Calls(Foreign):
    """What LiteLLM's proxy posts; its keys are named by their hash."""

    path = "/v1/integrations/litellm"

    def of(self, **event: Any) -> Any:
        digest = bytes(APIKey.objects.get(public_id=event["api_key_id"]).digest)
        return {
            "id": event["id"],
            "call_type": "acompletion",
            "status": "success",
            "endTime": _seconds(event["timestamp"]),
            "custom_llm_provider": "openai",
            "model": event["model"],
            "metadata": {"user_api_key_hash": digest.hex()},
            "prompt_tokens": event["input_tokens"],
            "completion_tokens": event["output_tokens"],
            "total_tokens": event["input_tokens"] + event["output_tokens"],
        }


class CloudEvents(Foreign):
    """A batch of CloudEvents."""

    content_type = "application/cloudevents-batch+json"

    def of(self, **event: Any) -> Any:
        envelope = {"specversion": "1.0", "type": "usage", "source": GATEWAY, "subject": event.pop("api_key_id")}
        return {**envelope, "id": event.pop("id"), "time": event.pop("timestamp"), "data": event}

    def stored_id(self, number: int) -> UUID:
        return event_hash(id_of_two(GATEWAY, f"{self.name}-{number}"))


class Spans(Foreign):
    """Spans of OpenTelemetry in protobuf."""

    path = "/v1/traces"
    content_type = "application/x-protobuf"

    def body(self, numbers: Any) -> bytes:
        request = trace_service_pb2.ExportTraceServiceRequest()
        scope = request.resource_spans.add().scope_spans.add()
        for number in numbers:
            self._write(scope.spans.add(), **json.loads(self.event(number)))
        return bytes(request.SerializeToString())

    def stored_id(self, number: int) -> UUID:
        trace_id, span_id = _ids(f"{self.name}-{number}")
        return event_hash(f"{trace_id.hex()}-{span_id.hex()}")

    @staticmethod
    def _write(span: Any, **event: Any) -> None:
        span.trace_id, span.span_id = _ids(event["id"])
        span.end_time_unix_nano = int(_seconds(event["timestamp"])) * 10**9
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.response.model": event["model"],
            "gen_ai.usage.input_tokens": event["input_tokens"],
            "gen_ai.usage.output_tokens": event["output_tokens"],
            "usage_dashboard.api_key_id": event["api_key_id"],
        }
        for name, value in attributes.items():
            kind = {"int_value": value} if isinstance(value, int) else {"string_value": value}
            span.attributes.add(key=name, value=common_pb2.AnyValue(**kind))


def test_usage_by_every_way_in_counts_once_whatever_dies(stack: Stack, scenario: Scenario, num_events: int) -> None:
    native = scenario.load
    for kind in (Answers, Calls, CloudEvents, Spans):
        events = kind(f"{native.events.name}-{kind.__name__}"[-40:], native.events.key_ids)
        scenario.others.append(Load(native.port, native.secret, events))
    stack.pause("worker")
    with ExitStack() as sending:
        for load in scenario.loads:
            sending.enter_context(load.sending(num_events // 10, clients=2, at_least_seconds=3))
        for fraction in (0.1, 0.4):
            native.wait_for(fraction)
            stack.kill_one_of("web")
        native.wait_for(0.6)
        stack.resume("worker")
        stack.wait_for_a_rollup()
        stack.kill("worker")
    stack.wait_for_no_rollup()
    stack.start("worker")
    for load in scenario.loads:
        assert load.ledger.troubles, f"{load.events.path} had no request under way"
        assert len(load.ledger.acknowledged) == load.num_wanted
    scenario.require_exactly_once()


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


def _ids(name: str) -> tuple[bytes, bytes]:
    """Of a trace, and of its only span."""
    digest = blake2b(name.encode(), digest_size=24).digest()
    return digest[:16], digest[16:]
