"""`POST /v1/integrations/litellm`: how much usage a call was, and what for."""

from typing import Any, Final

import pytest

from accounts.models import Attribute
from metering.attribution_models import AttributeValue, AttributionPart
from metering.models import UsageEvent
from tests.engine import case_name, make_key_and_secret
from tests.metering.intake.sources.litellm_payloads import SECRET_WORDS, USAGE, make_payload, statuses
from tests.metering.intake.sources.providers.beside_samples import WITH_PICTURES
from tests.metering.intake.sources.test_responses import stored
from tests.usage.what_for import declare
from tests.world import World

NO_RESPONSE: Final = {"response": None}
MEASURES: Final = ("input_tokens", "input_cached_tokens", "input_cache_write_tokens", "output_tokens")


def said() -> dict[str, str]:
    """The attributes of the only event: name → value."""
    (attribution_id,) = UsageEvent.objects.values_list("attribution_id", flat=True)
    parts = AttributionPart.objects.filter(attribution_id=attribution_id)
    names = dict(Attribute.objects.values_list("id", "name"))
    values = AttributeValue.objects.in_bulk([part.value_id for part in parts])
    return {names[part.attribute_id]: values[part.value_id].value for part in parts}


@pytest.fixture
def secret(world: World) -> str:
    """The secret of a key of Rita's, as it would be LiteLLM's virtual key."""
    return make_key_and_secret(world.rita)[1]


ANTHROPIC: Final = {
    "completion_tokens": 393,
    "prompt_tokens": 909,
    "total_tokens": 1302,
    "completion_tokens_details": None,
    "prompt_tokens_details": {
        "audio_tokens": None,
        "cached_tokens": 188,
        "cache_creation_tokens": 700,
        "cache_creation_token_details": {"ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 100},
    },
    "cache_creation_input_tokens": 700,
    "cache_read_input_tokens": 188,
}
MESSAGES: Final = {
    "input_tokens": 21,
    "cache_read_input_tokens": 188,
    "cache_creation_input_tokens": 700,
    "cache_creation": {"ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 100},
    "output_tokens": 393,
}
# `ImageUsage` of LiteLLM 1.110 for a model that is charged by the picture, and what its logging adds.
TWO_PICTURES: Final = {
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "total_tokens": 0,
    "output_image_count": 2,
}
WITHOUT_TOKENS: Final = {"response": None, "total_tokens": 0, "prompt_tokens": 0, "completion_tokens": 0}


@pytest.mark.parametrize(
    "usage",
    [
        ANTHROPIC,
        {
            **ANTHROPIC,
            "prompt_tokens_details": {
                "cached_tokens": 188,
                "cache_creation_token_details": {"ephemeral_1h_input_tokens": 100},
            },
        },
        {**ANTHROPIC, "prompt_tokens": 21, "total_tokens": 1302},
        MESSAGES,
    ],
    ids=["as LiteLLM makes it", "the cache beside the details", "an older version", "as Anthropic answers"],
)
def test_one_call_is_the_same_event_in_every_shape(token: str, secret: str, usage: dict[str, Any]) -> None:
    fields = {"call_type": "anthropic_messages", "custom_llm_provider": "anthropic", **NO_RESPONSE}
    assert statuses([make_payload(secret, metadata={"usage_object": usage}, **fields)], token) == ["accepted"]
    assert stored("input_tokens", "input_cached_tokens", "input_cache_write_tokens", "output_tokens") == [
        (909, 188, 700, 393)
    ]
    assert stored("input_cache_write_long_tokens") == [(100,)]


ITERATIONS: Final = [
    {"type": "compaction", "input_tokens": 30_000, "cache_read_input_tokens": 150_000, "output_tokens": 3_500}
    | {"output_tokens_details": {"thinking_tokens": 300}},
    {"type": "message", "input_tokens": 3_000, "cache_read_input_tokens": 20_000, "output_tokens": 1_000}
    | {"output_tokens_details": {"thinking_tokens": 200}},
]


@pytest.mark.parametrize(
    "sums",
    [
        (23_000, 20_000, 1_000, 200),
        (53_000, 20_000, 4_500, 200),
        (203_000, 170_000, 4_500, 500),
    ],
    ids=["as Anthropic counts", "with all passes", "with all passes and what is in them"],
)
def test_a_compaction_counts_once_whether_litellm_added_it_or_not(
    token: str, secret: str, sums: tuple[int, int, int, int]
) -> None:
    whole, cached, output, reasoning = sums
    usage = {
        "prompt_tokens": whole,
        "completion_tokens": output,
        "total_tokens": whole + output,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
        "cache_read_input_tokens": cached,
        "iterations": ITERATIONS,
    }
    payload = make_payload(secret, custom_llm_provider="anthropic", **NO_RESPONSE, metadata={"usage_object": usage})
    assert statuses([payload, payload], token) == ["accepted", "duplicate"]
    columns = ("input_tokens", "num_model_requests", "input_cached_tokens", "output_tokens", "output_reasoning_tokens")
    assert stored(*columns) == [(23_000, 1, 20_000, 1_000, 200), (180_000, None, 150_000, 3_500, 300)]


@pytest.mark.parametrize(
    ("fields", "event"),
    [
        ({"metadata": {"usage_object": None}}, (100, 40, None, 20)),
        ({"metadata": {"usage_object": {}}}, (100, 40, None, 20)),
        ({"metadata": {"usage_object": None}, "response": None}, (100, None, None, 20)),
        ({"metadata": {"usage_object": None}, "response": "redacted-by-litellm"}, (100, None, None, 20)),
        ({"metadata": {"usage_object": None}, "response": [{"a": 1}]}, (100, None, None, 20)),
        ({"response": {"model": 5, "usage": 7, "output": 8, "data": {}, "service_tier": {}}}, (100, 40, None, 20)),
        (
            {
                "metadata": {
                    "usage_object": {
                        "input_tokens": 9,
                        "output_tokens": 4,
                        "input_tokens_details": {"cached_tokens": 3},
                    }
                }
            },
            (9, 3, None, 4),
        ),
    ],
    ids=case_name,
)
def test_usage_is_read_from_the_first_place_that_has_it(
    token: str, secret: str, fields: dict[str, Any], event: tuple[int, ...]
) -> None:
    assert statuses([make_payload(secret, **fields)], token) == ["accepted"]
    assert stored(*MEASURES) == [event]


@pytest.mark.parametrize(
    ("fields", "columns", "event"),
    [
        ({"call_type": "aresponses"}, ("usage_type", "output_tokens"), (1, 20)),
        ({"call_type": "atext_completion"}, ("usage_type", "output_tokens"), (1, 20)),
        ({"call_type": "agenerate_content_stream"}, ("usage_type", "output_tokens"), (1, 20)),
        ({"call_type": "aembedding"}, ("usage_type", "input_tokens", "output_tokens"), (2, 100, None)),
        ({"call_type": "amoderation"}, ("usage_type", "num_model_requests"), (3, 1)),
        (
            {
                "call_type": "aimage_generation",
                "response": {"data": [{"b64_json": SECRET_WORDS}, {}]},
                "total_tokens": 0,
                "prompt_tokens": 0,
                "completion_tokens": 0,
                "metadata": {"usage_object": None},
            },
            ("usage_type", "images", "output_tokens"),
            (4, 2, None),
        ),
        (
            {"call_type": "aimage_generation", **WITHOUT_TOKENS, "metadata": {"usage_object": TWO_PICTURES}},
            ("usage_type", "images", "output_tokens"),
            (4, 2, None),
        ),
        (
            {"call_type": "atranscription", "metadata": {"usage_object": {"type": "duration", "seconds": 7.5}}},
            ("usage_type", "seconds", "output_tokens"),
            (6, 8, None),
        ),
    ],
    ids=case_name,
)
def test_call_types_are_usage_types(
    token: str, secret: str, fields: dict[str, Any], columns: tuple[str, ...], event: tuple[Any, ...]
) -> None:
    assert statuses([make_payload(secret, **fields)], token) == ["accepted"]
    assert stored(*columns) == [event]


def test_tools_that_providers_host_are_events_of_their_own(token: str, secret: str) -> None:
    searched = {**USAGE, "prompt_tokens_details": {"cached_tokens": 0, "web_search_requests": 3}}
    output = [{"type": "web_search_call"}, {"type": "code_interpreter_call", "container_id": "c"}]
    payloads = [
        make_payload(secret, id="a", metadata={"usage_object": searched}),
        make_payload(secret, id="b", call_type="aresponses", response={"output": output}),
        make_payload(secret, id="c", call_type="arerank"),
    ]
    assert statuses(payloads, token) == ["accepted", "accepted", "ignored"]
    assert stored("usage_type", "num_model_requests") == [(1, 1), (1, 1), (8, 1), (10, 1), (10, 3)]


@pytest.mark.parametrize(
    ("used", "number"),
    [(None, [1]), ({"web_search": {"num_requests": 2}}, [2]), ({"web_search": {"num_requests": 0}}, [])],
)
def test_searches_are_those_that_the_provider_charges(
    token: str, secret: str, used: dict[str, Any] | None, number: list[int]
) -> None:
    """The usage that LiteLLM makes of the answer counts them anew, and the answer knows better."""
    usage = {**USAGE, "prompt_tokens_details": {"cached_tokens": 0, "web_search_requests": 3}}
    calls = [{"type": "web_search_call", "action": {"type": action}} for action in ("search", "open_page")]
    response = {"output": calls, "tool_usage": used}
    payload = make_payload(secret, call_type="aresponses", response=response, metadata={"usage_object": usage})
    assert statuses([payload], token) == ["accepted"]
    assert [
        requests for usage_type, requests in stored("usage_type", "num_model_requests") if usage_type == 10
    ] == number


def test_pictures_that_a_model_had_made_are_an_event_of_their_own(token: str, secret: str) -> None:
    payload = make_payload(secret, call_type="aresponses", response=WITH_PICTURES)
    assert statuses([payload], token) == ["accepted"]
    columns = ("usage_type", "model", "num_model_requests", "images", "input_tokens", "output_tokens")
    assert stored(*columns) == [(1, "gpt-5.4", 1, None, 100, 20), (4, "gpt-image-1.5", 2, 2, 90, 2_112)]


def test_a_request_knows_what_it_is_for(token: str, secret: str, world: World) -> None:
    declare(world.acme, "team", "end_customer", "feature", "stage", "user")
    metadata = {
        "user_api_key_team_id": "0b1c",
        "user_api_key_team_alias": "search",
        "user_api_key_user_id": "rita",
        "requester_metadata": {"team": "pretended", "stage": 2, "colour": "red", "Not A Name": "x", "list": []},
        "spend_logs_metadata": {"stage": "live"},
    }
    tags = ["User-Agent: curl", "feature:answers", "beta"]
    payload = make_payload(secret, end_user="c-17", request_tags=tags, metadata=metadata)
    assert statuses([payload], token) == ["accepted"]
    assert said() == {"team": "search", "user": "rita", "end_customer": "c-17", "feature": "answers", "stage": "live"}


def test_a_caller_says_what_the_proxy_does_not_know(token: str, secret: str, world: World) -> None:
    declare(world.acme, "team", "tag")
    payload = make_payload(secret, request_tags=["team:search", "team:other", "beta", "gamma"])
    assert statuses([payload], token) == ["accepted"]
    assert said() == {"team": "search", "tag": "beta"}


@pytest.mark.parametrize("value", ["x" * 65, "two\nlines", "", None, {}, ["a"], True], ids=case_name)
def test_what_cannot_be_a_value_costs_no_usage(token: str, secret: str, world: World, value: Any) -> None:
    declare(world.acme, "stage", "team")
    metadata = {"requester_metadata": {"stage": value}, "user_api_key_team_id": "search"}
    assert statuses([make_payload(secret, metadata=metadata)], token) == ["accepted"]
    assert said() == {"team": "search"}
