"""The events of the benchmarks as others write them: LiteLLM's proxy, providers, OpenTelemetry's SDK."""

from typing import Any, Final

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from benchmarks.load.events import Sample
from benchmarks.load.world import MODELS, World

TEXT: Final = "How many angels can dance on the head of a pin, and what would they dance? " * 4


def payload_of(world: World, sample: Sample, event_id: str, *, hashes: dict[str, Any]) -> dict[str, object]:
    """A call as the proxy logs it, with all its fields, a short prompt and a short answer."""
    model = MODELS[sample.model]
    usage = _usage(sample)
    ended_at = sample.at.timestamp()
    return {
        "id": event_id,
        "trace_id": event_id,
        "call_type": "acompletion",
        "cache_hit": None,
        "stream": True,
        "status": "success",
        "custom_llm_provider": "openai",
        "saved_cache_cost": 0.0,
        "startTime": ended_at - 2.5,
        "endTime": ended_at,
        "completionStartTime": ended_at - 2,
        "response_time": 2.5,
        "model": model,
        "metadata": _metadata(world, sample, hashes) | {"usage_object": usage},
        "response_cost": 0.00045,
        "prompt_tokens": sample.input_tokens,
        "completion_tokens": sample.output_tokens,
        "total_tokens": sample.input_tokens + sample.output_tokens,
        "request_tags": ["User-Agent: OpenAI", "User-Agent: OpenAI/Python 2.8.0"],
        "end_user": "",
        "api_base": "https://api.openai.com",
        "model_group": model,
        "messages": [{"role": "user", "content": TEXT}],
        "response": {
            "id": event_id,
            "model": model,
            "object": "chat.completion",
            "choices": [{"finish_reason": "stop", "index": 0, "message": {"content": TEXT, "role": "assistant"}}],
            "usage": usage,
        },
        "model_parameters": {"temperature": 0.2, "stream": True},
        "hidden_params": {"model_id": event_id, "litellm_model_name": f"openai/{model}", "usage_object": None},
        "model_map_information": {"model_map_key": model, "model_map_value": {"mode": "chat", "max_tokens": 16384}},
        "error_str": None,
        "guardrail_information": None,
    }


def item_of(world: World, sample: Sample, event_id: str) -> dict[str, object]:
    """An answer of a provider as it came, with a short text."""
    return {
        "provider": "openai",
        "api": "chat",
        "timestamp": sample.at.isoformat().replace("+00:00", "Z"),
        "api_key_id": world.keys[sample.key].public_id,
        "response": {
            "id": event_id,
            "object": "chat.completion",
            "created": int(sample.at.timestamp()),
            "model": MODELS[sample.model],
            "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
            "usage": _usage(sample),
            "service_tier": "default",
            "system_fingerprint": None,
        },
    }


def span_of(world: World, sample: Sample, event_id: str) -> Any:
    """A span as OpenTelemetry's instrumentation of OpenAI's client writes it, with the key beside it."""
    ended_at = int(sample.at.timestamp() * 1_000_000) * 1_000
    attributes: dict[str, str | int] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": MODELS[sample.model],
        "gen_ai.response.model": MODELS[sample.model],
        "gen_ai.response.id": f"chatcmpl-{event_id}",
        "gen_ai.usage.input_tokens": sample.input_tokens,
        "gen_ai.usage.output_tokens": sample.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": sample.cached_tokens,
        "openai.response.service_tier": "default",
        "server.address": "api.openai.com",
        "server.port": 443,
        "usage_dashboard.api_key_id": world.keys[sample.key].public_id,
    }
    return trace_pb2.Span(
        trace_id=event_id[:8].encode() + event_id[-8:].encode(),
        span_id=event_id[-8:].encode(),
        name=f"chat {MODELS[sample.model]}",
        kind=trace_pb2.Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=ended_at - 2_500_000_000,
        end_time_unix_nano=ended_at,
        attributes=[common_pb2.KeyValue(key=name, value=_value(value)) for name, value in attributes.items()],
    )


def spans_packed(spans: list[Any]) -> bytes:
    """As one process exports them."""
    request = trace_service_pb2.ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.add(key="service.name", value=_value("gateway"))
    of_scope = of_resource.scope_spans.add()
    of_scope.scope.name = "opentelemetry.instrumentation.genai.openai"
    of_scope.spans.extend(spans)
    return bytes(request.SerializeToString())


def _value(value: str | int) -> Any:
    return common_pb2.AnyValue(string_value=value) if isinstance(value, str) else common_pb2.AnyValue(int_value=value)


def _metadata(world: World, sample: Sample, hashes: dict[str, Any]) -> dict[str, object]:
    return {
        "user_api_key_hash": bytes(hashes[world.keys[sample.key].public_id]).hex(),
        "user_api_key_alias": f"key-{sample.key}",
        "user_api_key_org_id": None,
        "user_api_key_team_id": None,
        "user_api_key_team_alias": None,
        "user_api_key_user_id": None,
        "user_api_key_request_route": "/v1/chat/completions",
        "spend_logs_metadata": None,
        "requester_ip_address": "10.0.0.7",
        "requester_metadata": {},
        "applied_guardrails": [],
    }


def _usage(sample: Sample) -> dict[str, object]:
    return {
        "prompt_tokens": sample.input_tokens,
        "completion_tokens": sample.output_tokens,
        "total_tokens": sample.input_tokens + sample.output_tokens,
        "completion_tokens_details": {"audio_tokens": 0, "reasoning_tokens": 0, "text_tokens": None},
        "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": sample.cached_tokens, "image_tokens": None},
    }
