"""The short way of the calls that most are gives what the long way gives."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metering.intake.sources.litellm.calls import events_of, plain_event
from metering.intake.sources.litellm.payload import Payload
from tests.metering.intake.sources.litellm_payloads import USAGE

COUNTS: Final = st.sampled_from([None, 0, 0, 0, 1, 5, 100])
OTHERS: Final = st.sampled_from([None, None, None, 0, 2])


def some(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, OTHERS))


USAGES: Final = st.fixed_dictionaries(
    {
        "prompt_tokens": COUNTS,
        "completion_tokens": COUNTS,
        "total_tokens": st.sampled_from([None, 0, 2, 6, 10, 105, 200]),
    },
    optional={
        "prompt_tokens_details": some("cached_tokens", "cache_creation_tokens", "audio_tokens", "web_search_requests"),
        "completion_tokens_details": some("reasoning_tokens", "audio_tokens", "image_tokens"),
        "input_tokens_details": st.none() | some("cached_tokens", "cache_creation_tokens", "audio_tokens"),
        "input_token_details": st.none() | some("cached_tokens", "audio_tokens"),
        "output_tokens_details": st.none() | some("reasoning_tokens", "audio_tokens", "image_tokens"),
        "cache_read_input_tokens": OTHERS,
        "cache_creation_input_tokens": OTHERS,
        "server_tool_use": some("web_search_requests"),
        "speed": st.sampled_from([None, "standard", "fast"]),
        "service_tier": st.sampled_from([None, "flex"]),
        "inference_geo": st.sampled_from([None, "global", "us"]),
    },
)


USUAL: Final = st.builds(
    lambda cached, reasoning: {
        **USAGE,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    },
    st.sampled_from([None, 0, 40, 100, 101]),
    st.sampled_from([None, 0, 12, 20, 21]),
)
COUNTED: Final = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
OF_RESPONSES: Final = st.builds(
    lambda details: {**COUNTED, **details},
    st.fixed_dictionaries(
        {},
        optional={
            "input_tokens_details": some("cached_tokens", "audio_tokens"),
            "input_token_details": some("cached_tokens", "audio_tokens"),
            "output_tokens_details": some("reasoning_tokens", "audio_tokens"),
        },
    ),
)
"""Names of chat completions for the wholes, and of Responses for their parts."""
KEY: Final = "ab" * 32
KNOWN: Final[Mapping[str | None, str]] = {KEY: "key_1"}
ANSWERS: Final = st.fixed_dictionaries(
    {},
    optional={
        "service_tier": st.sampled_from(
            [None, 5, "default", "Flex", "priority", "batch", "provisioned_throughput", "x y"]
        ),
        "model": st.sampled_from([None, 5, "m-2026", "openai/m"]),
        "output": st.sampled_from([[], [{"type": "web_search_call"}]]),
    },
)
PARAMETERS: Final[st.SearchStrategy[Any]] = st.sampled_from([None, "redacted", {}]) | st.fixed_dictionaries(
    {"service_tier": st.sampled_from([None, 5, "", "auto", "flex", "priority", "batch", "x y"])}
)


def make(usage: dict[str, Any], answer: dict[str, Any], asked: Any = None) -> Payload:
    payload = {
        "id": "a",
        "call_type": "acompletion",
        "endTime": 1,
        "model": "m",
        "custom_llm_provider": "openai",
        "metadata": {"usage_object": usage, "user_api_key_hash": KEY},
        "model_parameters": asked,
        "response": answer,
    }
    return msgspec.json.decode(msgspec.json.encode(payload), type=Payload)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(USAGES | USUAL | OF_RESPONSES, ANSWERS, PARAMETERS)
def test_the_short_way_gives_what_the_long_way_gives(usage: dict[str, Any], answer: dict[str, Any], asked: Any) -> None:
    payload, changes = make(usage, answer, asked), Counter[tuple[str, str]]()
    plain = plain_event(payload, KNOWN)
    if plain is not None:
        assert list(events_of(payload, KNOWN, changes)) == [plain]
        assert not changes


@pytest.mark.parametrize(
    ("usage", "answer"),
    [
        (USAGE, {}),
        (USAGE, {"service_tier": "default", "model": "gpt-4o-2024-08-06"}),
        ({**USAGE, "completion_tokens_details": {"reasoning_tokens": 12}}, {"service_tier": "flex"}),
    ],
)
def test_a_usual_call_goes_the_short_way(usage: dict[str, Any], answer: dict[str, Any]) -> None:
    assert plain_event(make(usage, answer), KNOWN) is not None


@pytest.mark.parametrize("answer", [{}, {"text": "redacted-by-litellm"}, {"service_tier": None}])
@pytest.mark.parametrize("tier", ["flex", "priority"])
def test_where_the_answer_leaves_the_tier_open_the_short_way_takes_that_asked_for(
    answer: dict[str, Any], tier: str
) -> None:
    payload = make(USAGE, answer, {"service_tier": tier})
    plain = plain_event(payload, KNOWN)
    assert plain is not None
    assert plain.service_tier == tier
    assert list(events_of(payload, KNOWN, Counter())) == [plain]


@pytest.mark.parametrize(
    ("details", "measure"),
    [
        ({"input_tokens_details": {"cached_tokens": 40}}, "input_cached_tokens"),
        ({"input_token_details": {"cached_tokens": 40}}, "input_cached_tokens"),
        ({"output_tokens_details": {"reasoning_tokens": 12}}, "output_reasoning_tokens"),
    ],
)
def test_parts_in_the_names_of_responses_are_no_usual_call(details: dict[str, dict[str, int]], measure: str) -> None:
    payload = make({**COUNTED, **details}, {})
    assert plain_event(payload, KNOWN) is None
    (event,) = events_of(payload, KNOWN, Counter())
    (part,) = next(iter(details.values())).values()
    assert getattr(event, measure) == part
