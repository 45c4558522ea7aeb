"""Answers in which models did more than the answer's own counters say, made of the types of the providers' clients."""

from typing import Any

from anthropic.types.beta import (
    BetaAdvisorMessageIterationUsage,
    BetaCacheCreation,
    BetaCompactionIterationUsage,
    BetaMessageIterationUsage,
    BetaUsage,
)

from tests.metering.intake.sources.providers.samples import COMPLETION, Sample


def message(model: str, usage: BetaUsage) -> dict[str, Any]:
    """Anthropic's answer with this usage."""
    return {"id": "msg_1", "type": "message", "model": model, "content": [], "usage": usage.model_dump(mode="json")}


def compaction(**counters: Any) -> BetaCompactionIterationUsage:
    return BetaCompactionIterationUsage(
        type="compaction", **{"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, **counters}
    )


def turn(**counters: Any) -> BetaMessageIterationUsage:
    return BetaMessageIterationUsage(
        type="message", **{"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, **counters}
    )


COMPACTED = message(
    "claude-opus-4-6",
    BetaUsage(
        input_tokens=23_000,
        output_tokens=1_000,
        service_tier="priority",
        speed="fast",
        inference_geo="us",
        iterations=[
            compaction(input_tokens=180_000, output_tokens=3_500),
            turn(input_tokens=23_000, output_tokens=1_000),
        ],
    ),
)
PROCESSED = {"service_tier": "priority", "speed": "fast", "region": "us"}
ANTHROPIC = [
    Sample(
        "Anthropic, which compacted the context before it answered",
        "anthropic",
        "messages",
        COMPACTED,
        {**COMPLETION, "id": "msg_1", "model": "claude-opus-4-6", "input_tokens": 23_000, "output_tokens": 1_000}
        | PROCESSED,
        tools={
            "cp": {**COMPLETION, "model": "claude-opus-4-6", "num_model_requests": 0}
            | {"input_tokens": 180_000, "output_tokens": 3_500}
            | PROCESSED
        },
        second="default",
    ),
    Sample(
        "a result of Anthropic's batch, which compacted",
        "anthropic",
        "batch",
        {"custom_id": "my-request", "result": {"type": "succeeded", "message": COMPACTED}},
        {**COMPLETION, "id": "msg_1", "model": "claude-opus-4-6", "input_tokens": 23_000, "output_tokens": 1_000}
        | {**PROCESSED, "batch": True},
        tools={
            "cp": {**COMPLETION, "model": "claude-opus-4-6", "num_model_requests": 0}
            | {"input_tokens": 180_000, "output_tokens": 3_500}
            | {**PROCESSED, "batch": True}
        },
    ),
    Sample(
        "Anthropic, which compacted twice, with the cache",
        "anthropic",
        "messages",
        message(
            "claude-opus-4-6",
            BetaUsage(
                input_tokens=30,
                output_tokens=70,
                cache_read_input_tokens=900,
                iterations=[
                    compaction(input_tokens=500, output_tokens=40, cache_read_input_tokens=150_000),
                    turn(input_tokens=10, output_tokens=20, cache_read_input_tokens=400),
                    compaction(
                        input_tokens=600,
                        output_tokens=50,
                        cache_creation_input_tokens=300,
                        cache_creation=BetaCacheCreation(ephemeral_1h_input_tokens=200, ephemeral_5m_input_tokens=100),
                    ),
                    turn(input_tokens=20, output_tokens=50, cache_read_input_tokens=500),
                ],
            ),
        ),
        {**COMPLETION, "id": "msg_1", "model": "claude-opus-4-6"}
        | {"input_tokens": 930, "input_cached_tokens": 900, "output_tokens": 70},
        tools={
            "cp": {**COMPLETION, "model": "claude-opus-4-6", "num_model_requests": 0}
            | {"input_tokens": 150_500, "input_cached_tokens": 150_000, "output_tokens": 40},
            "cp2": {**COMPLETION, "model": "claude-opus-4-6", "num_model_requests": 0}
            | {"input_tokens": 900, "input_cache_write_tokens": 300, "input_cache_write_long_tokens": 200}
            | {"output_tokens": 50},
        },
        second="default",
    ),
    Sample(
        "Anthropic, whose model asked another one for advice",
        "anthropic",
        "messages",
        message(
            "claude-sonnet-4-6",
            BetaUsage(
                input_tokens=400,
                output_tokens=1_200,
                service_tier="priority",
                inference_geo="us",
                iterations=[
                    turn(input_tokens=150, output_tokens=200),
                    BetaAdvisorMessageIterationUsage(
                        type="advisor_message",
                        model="claude-opus-4-8",
                        input_tokens=800,
                        output_tokens=500,
                        cache_creation_input_tokens=0,
                        cache_read_input_tokens=100,
                    ),
                    turn(input_tokens=250, output_tokens=1_000),
                ],
            ),
        ),
        {**COMPLETION, "id": "msg_1", "model": "claude-sonnet-4-6", "input_tokens": 400, "output_tokens": 1_200}
        | {"service_tier": "priority", "region": "us"},
        tools={
            "ad": {**COMPLETION, "model": "claude-opus-4-8", "region": "us"}
            | {"input_tokens": 900, "input_cached_tokens": 100, "output_tokens": 500}
        },
        second="default",
    ),
]
BESIDE = ANTHROPIC
