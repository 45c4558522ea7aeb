"""Figure: events per second through HTTP as LiteLLM's proxy posts its calls, beside our own format."""

from functools import partial
from statistics import median
from typing import Any, Final

from apikeys.models import APIKey
from benchmarks.events import BATCH, Sample, Template, templates
from benchmarks.ingest_batches import prepare, through_http, warm_up
from benchmarks.measure import Figure, compare, in_turn
from benchmarks.servers import cpu_seconds, program
from benchmarks.world import MODELS, World
from usage_dashboard.machine.processes import Child

PATH: Final = "/v1/integrations/litellm"
WANT: Final = 0.5
NUM_TEMPLATES: Final = 20
PROMPT: Final = "How many angels can dance on the head of a pin, and what would they dance? " * 4


def measure(world: World, *, quick: bool) -> Figure:
    """The figure; both ways store the same number of events of the same samples, into empty tables."""
    num_batches = 60 if quick else 400
    hashes = dict(APIKey.objects.values_list("public_id", "digest"))
    ways = {
        "litellm": templates(world, NUM_TEMPLATES, path=PATH, made=partial(payload_of, hashes=hashes)),
        "native": templates(world, NUM_TEMPLATES),
    }
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    prepare(ways["native"])
    with program("web") as web:
        warm_up(ways["native"])
        for prebuilt in ways.values():
            through_http(prebuilt, len(prebuilt))
        results = in_turn(
            {name: partial(_rate, web, prebuilt, num_batches, cpu[name]) for name, prebuilt in ways.items()},
            repeats=3 if quick else 7,
        )
    notes = {
        "events per repeat": num_batches * BATCH,
        "bytes per payload": len(ways["litellm"][0].request) // BATCH,
        "web: µs of processor time per event": round(median(cpu["litellm"]), 2),
        "the same of native events": round(median(cpu["native"]), 2),
    }
    return compare(
        "ingest_litellm",
        unit="events/s",
        values=results["litellm"],
        limits=results["native"],
        want=WANT,
        notes=notes,
    )


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
        "messages": [{"role": "user", "content": PROMPT}],
        "response": {
            "id": event_id,
            "model": model,
            "object": "chat.completion",
            "choices": [{"finish_reason": "stop", "index": 0, "message": {"content": PROMPT, "role": "assistant"}}],
            "usage": usage,
        },
        "model_parameters": {"temperature": 0.2, "stream": True},
        "hidden_params": {"model_id": event_id, "litellm_model_name": f"openai/{model}", "usage_object": None},
        "model_map_information": {"model_map_key": model, "model_map_value": {"mode": "chat", "max_tokens": 16384}},
        "error_str": None,
        "guardrail_information": None,
    }


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


def _rate(web: Child, prebuilt: list[Template], num_batches: int, cpu: list[float]) -> float:
    before = cpu_seconds(web)
    rate = through_http(prebuilt, num_batches)
    cpu.append((cpu_seconds(web) - before) * 1e6 / (num_batches * BATCH))
    return rate
