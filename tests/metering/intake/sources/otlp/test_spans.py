"""`POST /v1/traces`: spans in, in the names of every convention; events stored."""

from typing import Any, Final

import pytest
from pytest_django import Settings

from apikeys.models import APIKey
from metering import price_words
from metering.ingestion_models import Kind
from metering.price_words import Dimension
from tests.engine import case_name, days_ago, make_event, make_key, make_key_and_secret, roll_up, send
from tests.metering.intake.sources.otlp.requests import (
    CHAT,
    JSON,
    PROTOBUF,
    Attributes,
    Span,
    accept,
    chat,
    counted,
    export,
    in_json,
    in_protobuf,
    rejected,
    stored,
)
from tests.usage.what_for import declare, make_project, requests_by
from tests.world import World

KEY: Final = "usage_dashboard.api_key_id"
TOKENS: Final = (
    *("usage_type", "model", "input_tokens", "input_cached_tokens", "input_cache_write_tokens"),
    *("output_tokens", "output_reasoning_tokens"),
)
OPENINFERENCE: Final = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "claude-sonnet-4-5",
    "llm.provider": "anthropic",
    "llm.token_count.prompt": 909,
    "llm.token_count.completion": 393,
    "llm.token_count.total": 1302,
    "llm.token_count.prompt_details.cache_read": 188,
    "llm.token_count.prompt_details.cache_write": 700,
}
OLD_OPENLLMETRY: Final = {
    "llm.request.type": "chat",
    "gen_ai.system": "OpenAI",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.usage.prompt_tokens": 50,
    "gen_ai.usage.completion_tokens": 9,
    "llm.usage.total_tokens": 59,
    "gen_ai.usage.reasoning_tokens": 4,
}
VERCEL: Final = {
    "ai.operationId": "ai.streamText.doStream",
    "ai.model.id": "gpt-4o",
    "ai.model.provider": "openai.chat",
    "ai.response.model": "gpt-4o-2024-08-06",
    "ai.usage.promptTokens": 70,
    "ai.usage.completionTokens": 8,
    "ai.usage.cachedInputTokens": 64,
}
GEMINI: Final = {  # total has the thoughts, output has not
    "gen_ai.operation.name": "generate_content",
    "gen_ai.response.model": "gemini-2.5-pro",
    "gen_ai.usage.input_tokens": 10,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.usage.total_tokens": 45,
}
CACHE_WRITE: Final = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "claude-opus-4-6",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.cache_read.input_tokens": 300,
    "gen_ai.usage.cache_write.input_tokens": 200,
    "gen_ai.usage.output_tokens": 7,
    "gen_ai.usage.reasoning.output_tokens": 3,
}
EMBEDDINGS: Final = {
    "gen_ai.operation.name": "embeddings",
    "gen_ai.request.model": "text-embedding-3-small",
    "gen_ai.usage.input_tokens": 12,
}
VERCEL_EMBEDDINGS: Final = {
    "ai.operationId": "ai.embedMany.doEmbed",
    "ai.model.id": "text-embedding-3-small",
    "ai.usage.tokens": 12,
}
OPENINFERENCE_EMBEDDINGS: Final = {
    "openinference.span.kind": "EMBEDDING",
    "embedding.model_name": "text-embedding-3-small",
    "llm.token_count.prompt": 12,
}
CASES: Final[list[tuple[Attributes, tuple[Any, ...]]]] = [
    (dict(CHAT), ("completions", "gpt-4o", 100, 0, 0, 20, 0)),
    (OPENINFERENCE, ("completions", "claude-sonnet-4-5", 909, 188, 700, 393, 0)),
    (OLD_OPENLLMETRY, ("completions", "gpt-4o-2024-08-06", 50, 0, 0, 9, 4)),
    (VERCEL, ("completions", "gpt-4o-2024-08-06", 70, 64, 0, 8, 0)),
    (GEMINI, ("completions", "gemini-2.5-pro", 10, 0, 0, 35, 0)),
    (CACHE_WRITE, ("completions", "claude-opus-4-6", 1000, 300, 200, 7, 3)),
    (EMBEDDINGS, ("embeddings", "text-embedding-3-small", 12, 0, 0, 0, 0)),
    (VERCEL_EMBEDDINGS, ("embeddings", "text-embedding-3-small", 12, 0, 0, 0, 0)),
    (OPENINFERENCE_EMBEDDINGS, ("embeddings", "text-embedding-3-small", 12, 0, 0, 0, 0)),
]


@pytest.mark.parametrize(("attributes", "expected"), CASES, ids=case_name)
@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_a_span_of_each_convention_is_stored_as_its_event(
    token: str, key: APIKey, content_type: str, attributes: Attributes, expected: tuple[Any, ...]
) -> None:
    span = Span(attributes={**attributes, KEY: key.public_id})
    body = in_json(span) if content_type == JSON else in_protobuf(span)
    response = export(body, token, content_type=content_type)
    assert (response.status_code, response.content) == (200, b"{}" if content_type == JSON else b"")
    assert stored(*TOKENS, "api_key_id", "num_model_requests") == [(*expected, key.id, 1)]


def test_the_same_span_in_both_encodings_is_the_same_event(token: str, key: APIKey) -> None:
    span = Span(id=0xABC, attributes=chat(usage_dashboard__api_key_id=key.public_id))
    accept(token, span)
    assert export(in_json(span), token, content_type=JSON).content == b"{}"
    assert len(stored("model")) == 1
    assert counted(Kind.DUPLICATE) == {"": 1}


def test_it_is_the_event_that_the_native_format_would_have_been(token: str, key: APIKey) -> None:
    accept(token, Span(id=7, attributes=chat(usage_dashboard__api_key_id=key.public_id)))
    native = make_event(
        id=f"{(b't' * 16).hex()}-{7:016x}", timestamp=days_ago(1), api_key_id=key.public_id, provider="openai"
    )
    assert send([native], token) == ["duplicate"]


def test_of_two_names_for_the_same_the_first_in_the_order_wins_wherever_it_stands(token: str, key: APIKey) -> None:
    old = {"gen_ai.usage.prompt_tokens": 999, "gen_ai.usage.completion_tokens": 888, "gen_ai.request.model": "asked"}
    new = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 2, "gen_ai.response.model": "answered"}
    operation = {"gen_ai.operation.name": "chat", KEY: key.public_id}
    accept(
        token, Span(id=1, attributes={**operation, **old, **new}), Span(id=2, attributes={**operation, **new, **old})
    )
    assert stored("model", "input_tokens", "output_tokens") == [("answered", 10, 2)] * 2


def test_a_name_that_says_nothing_leaves_the_word_to_the_next(token: str, key: APIKey) -> None:
    accept(token, Span(attributes=chat(gen_ai__response__model="", usage_dashboard__api_key_id=key.public_id)))
    assert stored("model") == [("gpt-4o",)]


def test_bedrock_by_openllmetry_counts_the_cache_beside_the_input(token: str, key: APIKey) -> None:
    attributes = chat(
        gen_ai__usage__cache_read__input_tokens=40,
        gen_ai__usage__cache_creation__input_tokens=10,
        usage_dashboard__api_key_id=key.public_id,
    )
    accept(
        token,
        Span(id=1, attributes=attributes, scope="opentelemetry.instrumentation.bedrock"),
        Span(id=2, attributes=attributes, scope="opentelemetry.instrumentation.anthropic"),
    )
    columns = ("input_tokens", "input_cached_tokens", "input_cache_write_tokens")
    assert stored(*columns) == [(100, 40, 10), (150, 40, 10)]


def test_cached_audio_is_no_audio_of_its_own(token: str, key: APIKey) -> None:
    attributes = chat(
        gen_ai__usage__audio__input_tokens=50,
        gen_ai__usage__audio__cache_read__input_tokens=20,
        gen_ai__usage__cache_read__input_tokens=30,
        gen_ai__usage__audio__output_tokens=5,
        usage_dashboard__api_key_id=key.public_id,
    )
    accept(token, Span(attributes=attributes))
    assert stored("input_audio_tokens", "input_cached_tokens", "output_audio_tokens") == [(30, 30, 5)]
    assert counted(Kind.NORMALISED) == {"spans/cached_media_taken_off": 1}


def test_tier_and_provider_are_those_of_the_answer(token: str, key: APIKey) -> None:
    attributes = chat(
        openai__response__service_tier="priority",
        gen_ai__openai__request__service_tier="auto",
        gen_ai__provider__name="aws.bedrock",
        usage_dashboard__api_key_id=key.public_id,
    )
    accept(token, Span(attributes=attributes))
    ((tier, provider),) = stored("service_tier", "provider")
    assert tier == 3
    assert price_words.names(Dimension.PROVIDER)[provider] == "aws"


def test_the_key_of_the_span_goes_before_that_of_the_resource_and_the_headers(world: World, token: str) -> None:
    of_span, of_resource, of_headers = (make_key(world.rita, name) for name in ("Span", "Resource", "Headers"))
    resource = {KEY: of_resource.public_id}
    accept(
        token,
        Span(1, attributes=chat(gen_ai__usage__input_tokens=1, **{KEY: of_span.public_id}), resource=resource),
        Span(2, attributes=chat(gen_ai__usage__input_tokens=2), resource=resource),
        Span(3, attributes=chat(gen_ai__usage__input_tokens=3)),
        **{"X-Usage-Api-Key-Id": of_headers.public_id},
    )
    assert stored("input_tokens", "api_key_id") == [(1, of_span.id), (2, of_resource.id), (3, of_headers.id)]


def test_spans_of_one_request_may_belong_to_several_organizations(world: World, token: str, key: APIKey) -> None:
    named = {"usage_dashboard.organization": world.acme.public_id}
    accept(
        token,
        Span(1, attributes=chat(gen_ai__usage__input_tokens=1, **{KEY: make_key(world.charlie).public_id})),
        Span(2, attributes=chat(gen_ai__usage__input_tokens=2, **{KEY: key.public_id}), resource=named),
    )
    assert stored("input_tokens", "organization_id") == [(1, world.other.id), (2, world.acme.id)]


def test_the_organization_of_the_headers_is_that_of_spans_that_name_none(world: World, token: str, key: APIKey) -> None:
    body = in_protobuf(Span(attributes=chat(**{KEY: key.public_id})))
    number, sentence = rejected(body, token, **{"X-Usage-Organization": world.other.public_id})
    assert (number, sentence.split(":")[0]) == (1, "1 × not_a_member")


def test_an_api_key_reports_its_own_spans(world: World) -> None:
    api_key, secret = make_key_and_secret(world.rita)
    accept(secret, Span())
    assert stored("api_key_id") == [(api_key.id,)]


def test_what_a_span_is_for_comes_with_it_or_with_its_resource(world: World, token: str, key: APIKey) -> None:
    project = make_project(world.acme)
    team, customer = declare(world.acme, "team", "end_customer")
    resource = {"usage_dashboard.attributes.team": "search", "usage_dashboard.attributes.end_customer": "nobody"}
    attributes = chat(
        **{
            KEY: key.public_id,
            "usage_dashboard.project": project.public_id,
            "usage_dashboard.attributes.end_customer": 4711,
            "usage_dashboard.attributes.undeclared": "dropped",
        }
    )
    accept(token, Span(attributes=attributes, resource=resource))
    roll_up()
    assert requests_by(None, world.acme) == {"Search": 1}
    assert requests_by(team, world.acme) == {"search": 1}
    assert requests_by(customer, world.acme) == {"4711": 1}


def test_a_request_without_tokens_is_a_request(token: str, key: APIKey) -> None:
    silent = chat(gen_ai__usage__input_tokens=None, gen_ai__usage__output_tokens=None, **{KEY: key.public_id})
    accept(token, Span(attributes=silent))
    assert stored("num_model_requests", "input_tokens", "output_tokens") == [(1, 0, 0)]


def test_what_is_no_request_to_a_model_is_ignored_and_not_rejected(token: str, key: APIKey, settings: Settings) -> None:
    settings.OTLP_IGNORED_SCOPES = frozenset({"langchain"})
    of_key = {KEY: key.public_id}
    silent = chat(gen_ai__usage__input_tokens=None, gen_ai__usage__output_tokens=None, **of_key)
    accept(
        token,
        Span(1, attributes={"http.request.method": "GET"}),
        *(
            Span(10 + number, attributes=chat(gen_ai__operation__name=name, **of_key))
            for number, name in enumerate(("invoke_agent", "execute_tool", "retrieval", "chat2"))
        ),
        Span(3, attributes={**OPENINFERENCE, "openinference.span.kind": "CHAIN", **of_key}),
        Span(4, attributes={**VERCEL, "ai.operationId": "ai.streamText", **of_key}),
        Span(5, attributes=silent, failed=True),
        Span(6, attributes=chat(**of_key), scope="langchain"),
        Span(7, attributes=chat(gen_ai__usage__input_tokens=7, **of_key), failed=True),
    )
    assert stored("input_tokens") == [(7,)]
    assert counted(Kind.IGNORED) == {"no_model_request": 7, "failed": 1, "ignored_scope": 1}
    assert counted(Kind.REJECTED) == {}
