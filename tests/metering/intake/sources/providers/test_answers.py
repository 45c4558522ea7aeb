"""Answers of providers → events: as they were worked out by hand, and as the price list's package reads those that it knows."""

import json
from typing import Any, Final

import msgspec
import pytest
from genai_prices import extract_usage
from hypothesis import given
from hypothesis import strategies as st

from metering.intake.formats.events import Event
from metering.intake.sources.names import provider_of
from metering.intake.sources.normaliser import normalise
from metering.intake.sources.providers.apis import NAMES, api_of
from metering.intake.sources.responses import decode
from metering.measures import TOKEN_MEASURES
from tests.metering.intake.sources.providers.beside_samples import BESIDE
from tests.metering.intake.sources.providers.more_samples import BATCHES, OTHERS
from tests.metering.intake.sources.providers.openai_samples import MEDIA, RESPONSES
from tests.metering.intake.sources.providers.samples import CHAT, Sample

SAMPLES: Final = [*CHAT, *RESPONSES, *MEDIA, *OTHERS, *BATCHES, *BESIDE]
AT: Final = "2026-11-20T12:00:00Z"
PROVIDERS: Final = {
    "aws.bedrock": "aws",
    "bedrock": "aws",
    "gemini": "google",
    "vertex_ai": "google",
    "xai": "x-ai",
}
# Where the answer's usage stands, if not in `usage`.
ROOTS: Final = {"generate_content": ("usageMetadata",), "realtime": ("response", "usage")}
THEIRS: Final = {
    "input_tokens": "input_tokens",
    "input_cached_tokens": "cache_read_tokens",
    "input_cache_write_tokens": "cache_write_tokens",
    "input_cache_write_long_tokens": "cache_write_1h_tokens",
    "input_audio_tokens": "input_audio_tokens",
    "input_image_tokens": "input_image_tokens",
    "input_video_tokens": "input_video_tokens",
    "output_tokens": "output_tokens",
    "output_audio_tokens": "output_audio_tokens",
    "output_image_tokens": "output_image_tokens",
    "output_reasoning_tokens": "output_reasoning_tokens",
}


def item_of(sample: Sample, **changed: Any) -> bytes:
    fields = {"provider": sample.provider, "api": sample.api, "timestamp": AT, "response": sample.answer}
    item = {**fields, "api_key_id": "key_1", **sample.said, **changed}
    return json.dumps({name: value for name, value in item.items() if value is not None}).encode()


def said(event: Event) -> dict[str, Any]:
    """The fields of an event that are not as they are by themselves."""
    plain = msgspec.structs.asdict(Event(id="", timestamp=0, usage_type=""))
    return {name: value for name, value in msgspec.structs.asdict(event).items() if value != plain[name]}


def events_of(body: bytes) -> list[dict[str, Any]]:
    found = decode(body, lines=False).events
    assert all(isinstance(event, Event) for event in found), found
    return [said(event) for event in found if isinstance(event, Event)]


def expected(sample: Sample) -> list[dict[str, Any]]:
    everywhere = {"api_key_id": "key_1", "provider": PROVIDERS.get(sample.provider, sample.provider)}
    main = {**everywhere, **sample.event}
    return [main, *({**everywhere, "id": f"{main['id']}-{suffix}", **tool} for suffix, tool in sample.tools.items())]


def without_time(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in event.items() if name != "timestamp"} for event in events]


def without_ones(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One request is what an event is by itself."""
    return [
        {name: value for name, value in event.items() if (name, value) != ("num_model_requests", 1)} for event in events
    ]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_an_answer_becomes_these_events(sample: Sample) -> None:
    assert without_time(events_of(item_of(sample))) == without_ones(expected(sample))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_what_was_changed_is_counted_by_source_and_rule(sample: Sample) -> None:
    assert decode(item_of(sample), lines=False).changes == {(sample.api, rule): 1 for rule in sample.changes}


def usage_in(sample: Sample) -> Any:
    """The usage of its answer, if it stands where the API has it."""
    usage: Any = sample.answer
    for name in ROOTS.get(sample.api, ("usage",)):
        usage = usage.get(name, {})
    return usage


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if usage_in(sample)], ids=lambda sample: sample.name)
def test_the_usage_alone_gives_the_same_measures(sample: Sample) -> None:
    usage = usage_in(sample)
    model = sample.event["model"]
    (event, *_) = events_of(item_of(sample, response=None, usage=usage, id="alone", model=model))
    alone = {name: event.get(name, 0) for name in TOKEN_MEASURES}
    assert alone == {name: sample.event.get(name, 0) for name in TOKEN_MEASURES}


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample.second], ids=lambda sample: sample.name)
def test_the_price_lists_package_agrees_or_the_difference_is_explained(sample: Sample) -> None:
    read = extract_usage(sample.answer, provider_id=provider_of(sample.provider), api_flavor=sample.second).usage
    theirs = {ours: getattr(read, name, None) or 0 for ours, name in THEIRS.items()}
    ours = {name: sample.event.get(name, 0) for name in TOKEN_MEASURES}
    differences = {name: (ours[name], theirs[name]) for name in THEIRS if ours[name] != theirs[name]}
    assert differences == sample.differs
    assert bool(sample.differs) == bool(sample.because)


def test_every_api_has_samples() -> None:
    assert {sample.api for sample in SAMPLES} == set(NAMES)


@given(fresh=st.integers(0, 9999), read=st.integers(0, 9999), write=st.integers(0, 9999), output=st.integers(1, 9999))
def test_one_request_is_the_same_in_every_providers_shape(*, fresh: int, read: int, write: int, output: int) -> None:
    whole = fresh + read + write
    shapes = {
        ("openai", "chat"): {
            "prompt_tokens": whole,
            "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": write},
            "completion_tokens": output,
            "total_tokens": whole + output,
        },
        ("openai", "responses"): {
            "input_tokens": whole,
            "input_tokens_details": {"cached_tokens": read, "cache_write_tokens": write},
            "output_tokens": output,
        },
        ("anthropic", "messages"): {
            "input_tokens": fresh,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": write,
            "output_tokens": output,
        },
        ("aws", "converse"): {
            "inputTokens": fresh,
            "cacheReadInputTokens": read,
            "cacheWriteInputTokens": write,
            "outputTokens": output,
            "totalTokens": whole + output,
        },
    }
    found = []
    for (provider, name), usage in shapes.items():
        api = api_of(provider, name)
        assert api is not None
        reading = api.read(json.dumps(usage).encode().join(api.around))
        found.append(normalise(reading.tokens, reading.counting))
    assert all(one == found[0] for one in found)
    assert found[0].changes == ()
