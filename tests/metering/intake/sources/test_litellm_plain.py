"""The short way of the calls that most are gives what the long way gives."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from metering.intake.formats.events import Event, Timestamp
from metering.intake.sources.litellm.calls import events_of, plain_event
from metering.intake.sources.litellm.payload import NOTHING, Payload
from metering.intake.sources.litellm.usual import MAX_REMEMBERED_BYTES, Usual
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
        "iterations": st.sampled_from(
            [None, [{"type": "message", "output_tokens": 5}], [{"type": "compaction", "output_tokens": 5}]]
        ),
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
MILLISECOND: Final = datetime(1970, 1, 1, 0, 0, 1, 345_000, tzinfo=UTC)
KNOWN: Final[Mapping[str | None, str]] = {KEY: "key_1", "cd" * 32: "key_2"}
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


WORDS: Final = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["b", "x y", "i" * 65]),
        "ended_at": st.sampled_from([2, 2.345678, 1e300]),
        "call_type": st.sampled_from(["acompletion", "aembedding"]),
        "custom_llm_provider": st.sampled_from(["openai", "azure", None]),
        "model": st.sampled_from(["m", "openai/m", None]),
        "end_user": st.sampled_from(["", "Ada"]),
        "request_tags": st.sampled_from([b"[]", b'["feature:search"]']).map(msgspec.Raw),
        "cache_hit": st.sampled_from([False, None]),
        "team": st.sampled_from(["red", None]),
        "hash": st.sampled_from(["ab" * 32, "cd" * 32]),
        "spend_logs": st.sampled_from([b"null", b'{"team": "blue"}']).map(msgspec.Raw),
    },
)
"""What a call may say beside its counts and its answer."""


def with_words(payload: Payload, words: Mapping[str, Any]) -> Payload:
    assert payload.metadata is not None
    said = dict(words)
    metadata = {
        "user_api_key_team_alias": said.pop("team", None),
        "user_api_key_hash": said.pop("hash", KEY),
        "spend_logs_metadata": said.pop("spend_logs", NOTHING),
    }
    return replace(payload, metadata=replace(payload.metadata, **metadata), **said)


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


@pytest.mark.parametrize("end", [1.345, 1.345678, datetime(1970, 1, 1, 0, 0, 1, 345_999, tzinfo=UTC)])
def test_every_way_takes_the_millisecond_in_which_a_call_ended(end: Timestamp) -> None:
    memory, payload = Usual({}), replace(make(USAGE, {}), ended_at=end)
    plain = plain_event(payload, KNOWN)
    assert plain is not None
    memory.remember(payload, plain)
    events = [plain, memory.event_of(payload), *events_of(payload, KNOWN, Counter())]
    assert [event.timestamp for event in events if isinstance(event, Event)] == [MILLISECOND] * 3


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


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(USAGES | USUAL, ANSWERS, PARAMETERS, WORDS), min_size=2, max_size=8))
def test_a_call_whose_words_came_before_gives_what_it_gives_by_itself(
    calls: list[tuple[dict[str, Any], dict[str, Any], Any, dict[str, Any]]],
) -> None:
    memory = Usual({})
    for usage, answer, asked, words in calls * 2:
        payload = with_words(make(usage, answer, asked), words)
        plain, usual = plain_event(payload, KNOWN), memory.event_of(payload)
        assert usual is None or usual == plain
        if plain is not None:
            memory.remember(payload, plain)
            assert memory.event_of(payload) == plain


NEWS: Final[list[tuple[dict[str, Any], Any, dict[str, Any]]]] = [
    ({"service_tier": "flex"}, None, {}),
    ({"model": "m-2026"}, None, {}),
    ({"output": []}, None, {}),
    ({}, {"service_tier": "flex"}, {}),
    *(
        ({}, None, {name: value})
        for name, value in {
            "cache_hit": True,
            "status": "failure",
            "id": "",
            "call_type": "embedding",
            "custom_llm_provider": "azure",
            "model": "n",
            "end_user": "Ada",
            "request_tags": msgspec.Raw(b'["feature:search"]'),
            "team": "red",
            "hash": "cd" * 32,
            "spend_logs": msgspec.Raw(b'{"team": "blue"}'),
        }.items()
    ),
]
"""What is new in a call: in its answer, in what was asked for, or beside both."""


@pytest.mark.parametrize(("answer", "asked", "words"), NEWS)
def test_a_call_that_may_be_no_usage_or_says_something_new_is_looked_at(
    answer: dict[str, Any], asked: Any, words: dict[str, Any]
) -> None:
    memory, payload = Usual({}), make(USAGE, {})
    plain = plain_event(payload, KNOWN)
    assert plain is not None
    memory.remember(payload, plain)
    assert memory.event_of(payload) == plain
    assert memory.event_of(with_words(make(USAGE, answer, asked), words)) is None


def test_a_call_that_says_much_is_not_remembered() -> None:
    memory, payload = Usual({}), with_words(make(USAGE, {}), {"end_user": "x" * MAX_REMEMBERED_BYTES})
    plain = plain_event(payload, KNOWN)
    assert plain is not None
    memory.remember(payload, plain)
    assert memory.event_of(payload) is None
