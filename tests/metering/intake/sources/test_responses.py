"""`POST /v1/usage/responses`: providers' answers in, events stored, each item answered."""

import gzip
import json
import logging
from typing import Any, Final

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from apikeys.models import APIKey
from metering import price_words
from metering.intake import fast_path
from metering.models import Sku, UsageEvent
from metering.price_words import Dimension
from tests.engine import case_name, days_ago, make_event, make_key_and_secret, num_events, send
from tests.metering.intake.sources.providers.beside_samples import COMPACTED, WITH_PICTURES
from tests.metering.intake.sources.providers.more_samples import OTHERS
from tests.metering.intake.sources.providers.openai_samples import RESPONSES
from tests.usage.what_for import declare
from tests.world import World

ADDRESS: Final = "/v1/usage/responses"
SECRET_WORDS: Final = "the-prompt-nobody-may-keep"
USAGE: Final = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
CHAT: Final = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o",
    "choices": [{"message": {"role": "assistant", "content": SECRET_WORDS}}],
    "usage": USAGE,
}


def make_item(**fields: Any) -> dict[str, Any]:
    """A good item of yesterday, with these fields changed or, where None, left out."""
    item = {"provider": "openai", "api": "chat", "timestamp": days_ago(1), "response": CHAT, **fields}
    return {name: value for name, value in item.items() if value is not None}


def ask(body: Any, secret: str | None, *, content_type: str = "application/json", **headers: str) -> HttpResponse:
    if secret is not None:
        headers = {"Authorization": f"Bearer {secret}", **headers}
    data = body if isinstance(body, bytes) else json.dumps(body, default=str).encode()
    response = Client().post(ADDRESS, data, content_type=content_type, headers=headers)
    assert isinstance(response, HttpResponse)
    return response


def statuses(items: Any, secret: str, **headers: str) -> list[str]:
    """What became of each item; the counts must agree."""
    response = ask(items, secret, **headers)
    assert response.status_code == 200, response.content
    found = json.loads(response.content)
    results = found["results"]
    assert [result["index"] for result in results] == list(range(len(results)))
    kinds = [result["status"] for result in results]
    assert [found["accepted"], found["duplicates"], found["rejected"]] == [
        kinds.count(kind) for kind in ("accepted", "duplicate", "rejected")
    ]
    return [result.get("code", result["status"]) for result in results]


def stored(*columns: str) -> list[tuple[Any, ...]]:
    """Columns of each event, or of its SKU."""
    skus = {sku.id: sku for sku in Sku.objects.select_related("model")}
    return sorted(
        tuple(_value(skus[event.sku_id], event, column) for column in columns) for event in UsageEvent.objects.all()
    )


def _value(sku: Sku, event: UsageEvent, column: str) -> Any:
    if column == "model":
        return sku.model.name
    return getattr(sku if hasattr(sku, column) else event, column)


def test_an_answer_is_stored_as_its_event(token: str, key: APIKey) -> None:
    assert statuses(make_item(api_key_id=key.public_id), token) == ["accepted"]
    columns = ("model", "num_model_requests", "input_tokens", "output_tokens", "api_key_id")
    assert stored(*columns) == [("gpt-4o", 1, 100, 20, key.id)]


def test_it_is_the_event_that_the_native_format_would_have_been(token: str, key: APIKey) -> None:
    item = make_item(api_key_id=key.public_id)
    native = make_event(
        id="chatcmpl-1",
        timestamp=item["timestamp"],
        api_key_id=key.public_id,
        provider="openai",
        model="gpt-4o",
        input_tokens=100,
        output_tokens=20,
    )
    assert statuses(item, token) == ["accepted"]
    assert send(native, token) == ["duplicate"]


def test_sent_again_it_is_a_duplicate(token: str, key: APIKey) -> None:
    item = make_item(api_key_id=key.public_id, response=RESPONSES[0].answer, api="responses")
    assert [statuses(item, token) for _ in range(3)] == [["accepted"], ["duplicate"], ["duplicate"]]
    assert num_events() == 4


def test_hosted_tools_are_events_of_their_own(token: str, key: APIKey) -> None:
    sample = RESPONSES[0]
    assert statuses(make_item(api_key_id=key.public_id, api=sample.api, response=sample.answer), token) == ["accepted"]
    kinds = stored("usage_type", "num_model_requests", "num_sessions")
    assert kinds == [(1, 1, None), (8, 3, 2), (9, 1, None), (10, 2, None)]


def test_pictures_of_an_unknown_model_are_stored_to_be_priced(token: str, key: APIKey) -> None:
    answer = {**WITH_PICTURES, "tools": []}
    assert statuses(make_item(api_key_id=key.public_id, api="responses", response=answer), token) == ["accepted"]
    assert stored("usage_type", "model", "images") == [(1, "gpt-5.4", None), (4, "image_generation", 2)]


def test_a_compaction_is_priced_by_the_size_of_its_own_context(token: str, key: APIKey) -> None:
    item = make_item(api_key_id=key.public_id, provider="anthropic", api="messages", response=COMPACTED)
    assert [statuses(item, token) for _ in range(2)] == [["accepted"], ["duplicate"]]
    columns = ("context_band", "num_model_requests", "input_tokens", "output_tokens")
    assert stored(*columns) == [(0, 1, 23_000, 1_000), (128_000, None, 180_000, 3_500)]


def test_an_item_whose_tool_is_new_is_accepted_and_one_with_a_conflict_says_so(token: str, key: APIKey) -> None:
    sample = RESPONSES[0]
    without = {**sample.answer, "output": []}
    item = make_item(api_key_id=key.public_id, api="responses", response=without)
    assert statuses(item, token) == ["accepted"]
    assert statuses({**item, "response": sample.answer}, token) == ["accepted"]
    other = {**sample.answer, "output": [{"type": "web_search_call"}]}
    assert statuses({**item, "response": other}, token) == ["conflict"]
    assert num_events() == 4


def test_several_answers_come_as_an_array_or_as_lines(token: str, key: APIKey) -> None:
    items = [make_item(api_key_id=key.public_id, id=f"request-{n}") for n in range(3)]
    lines = b"\n".join(json.dumps(item, default=str).encode() for item in items)
    assert statuses(items, token) == ["accepted"] * 3
    assert statuses(lines, token, content_type="application/x-ndjson") == ["duplicate"] * 3
    assert statuses(lines, token) == ["duplicate"] * 3


def test_a_packed_body_is_taken(token: str, key: APIKey) -> None:
    body = gzip.compress(json.dumps([make_item(api_key_id=key.public_id)], default=str).encode())
    assert statuses(body, token, **{"Content-Encoding": "gzip"}) == ["accepted"]


def test_one_bad_item_never_costs_its_neighbours(token: str, key: APIKey) -> None:
    good = make_item(api_key_id=key.public_id)
    items = [
        {**good, "id": "a"},
        {**good, "api": "telepathy"},
        5,
        {**good, "response": {**CHAT, "usage": {"prompt_tokens": -1}}},
        {**good, "surprise": 1},
        {**good, "id": "b"},
    ]
    codes = ["accepted", "unknown_api", "invalid_event", "invalid_measure", "unknown_field", "accepted"]
    assert statuses(items, token) == codes
    assert num_events() == 2


def usage(**fields: Any) -> dict[str, Any]:
    return {"response": {**CHAT, "usage": {**USAGE, **fields}}}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        (usage(prompt_tokens="100"), "invalid_measure"),
        (usage(prompt_tokens=1.5), "invalid_measure"),
        (usage(prompt_tokens=-5), "invalid_measure"),
        (usage(completion_tokens=2**64), "invalid_measure"),
        (usage(prompt_tokens=2**62), "measure_too_large"),
        (usage(prompt_tokens_details={"cached_tokens": True}), "invalid_measure"),
        (usage(prompt_tokens_details=[]), "invalid_response"),
        ({"response": {**CHAT, "usage": None}}, "no_usage"),
        ({"response": {"id": "x", "model": "gpt-4o"}}, "no_usage"),
        ({"response": RESPONSES[0].answer}, "no_usage"),
        ({"response": "text"}, "invalid_response"),
        ({"response": None}, "no_usage"),
        ({"response": {**CHAT, "id": 7}}, "invalid_response"),
        ({"response": {**CHAT, "id": ""}}, "invalid_id"),
        ({"response": {**CHAT, "id": None}}, "invalid_id"),
        ({"response": {**CHAT, "model": None}}, "invalid_model"),
        ({"response": {**CHAT, "model": "m" * 129}}, "invalid_model"),
        ({"provider": None}, "missing_field"),
        ({"timestamp": None}, "missing_field"),
        ({"timestamp": "yesterday"}, "invalid_timestamp"),
        ({"timestamp": "2026-11-22T12:00:00"}, "invalid_timestamp"),
        ({"timestamp": 1_000_000_000}, "too_old"),
        ({"provider": "p" * 41}, "invalid_provider"),
        ({"provider": "p" * 99}, "invalid_provider"),
        ({"provider": ""}, "invalid_provider"),
        ({"api": "chat" * 99}, "unknown_api"),
        ({"messages": [SECRET_WORDS]}, "unknown_field"),
        ({"images": 2}, "foreign_measure"),
        ({"api": "speech", "response": None, "id": "s", "model": "tts-1"}, "no_usage"),
        ({"api": "transcriptions", "response": {"text": SECRET_WORDS}, "id": "s", "model": "whisper-1"}, "no_usage"),
        ({"api": "batch", "response": {"custom_id": "1", "response": None, "error": {"code": "x"}}}, "no_usage"),
        ({"api_key_id": "key_unknown"}, "unknown_api_key"),
        ({"api_key_id": ""}, "missing_api_key_id"),
    ],
    ids=case_name,
)
def test_an_item_that_cannot_be_taken_says_why(token: str, key: APIKey, fields: dict[str, Any], code: str) -> None:
    (found,) = statuses([make_item(**{"api_key_id": key.public_id, **fields})], token)
    assert found == code
    assert num_events() == 0


def test_refusals_say_nothing_of_what_was_asked_and_answered(
    token: str, key: APIKey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    items = [
        make_item(api_key_id=key.public_id, **usage(prompt_tokens=SECRET_WORDS)),
        make_item(api_key_id=key.public_id, response={**CHAT, "model": {"content": SECRET_WORDS}}),
        make_item(api_key_id=key.public_id, response={"choices": SECRET_WORDS}),
        make_item(api_key_id=key.public_id),
    ]
    answer = ask(items, token).content.decode()
    assert json.loads(answer)["rejected"] == 3
    assert SECRET_WORDS not in answer + caplog.text


def test_nothing_of_what_was_asked_and_answered_is_stored(token: str, key: APIKey) -> None:
    assert statuses(make_item(api_key_id=key.public_id), token) == ["accepted"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
        for table in tables:
            cursor.execute(f'SELECT count(*) FROM "{table}" AS t WHERE t::text LIKE %s', [f"%{SECRET_WORDS}%"])
            assert cursor.fetchone() == (0,), table


def test_a_prompt_that_was_cut_within_a_character_does_not_cost_the_usage(token: str, key: APIKey) -> None:
    whole = json.dumps(make_item(api_key_id=key.public_id, id="cut"), default=str)
    cut = whole.replace(SECRET_WORDS, "\\ud83d").encode()
    assert statuses(cut, token) == ["accepted"]
    assert statuses(b"[" + cut + b"," + cut + b"]", token) == ["duplicate", "duplicate"]


def test_an_answer_of_megabytes_is_taken(token: str, key: APIKey) -> None:
    large = {**CHAT, "choices": ["word, " * 500_000]}
    items = [
        make_item(api_key_id=key.public_id, response=large, id="large"),
        make_item(api_key_id=key.public_id, id="b"),
    ]
    assert statuses(items, token) == ["accepted", "accepted"]


def test_an_answer_beyond_the_limit_is_refused_alone(token: str, key: APIKey, settings: Any) -> None:
    settings.FOREIGN_ITEM_MAX_BYTES = 1_000
    items = [make_item(api_key_id=key.public_id, response={**CHAT, "choices": "x" * 1_000})]
    items.append(make_item(api_key_id=key.public_id))
    assert statuses(items, token) == ["event_too_large", "accepted"]


def test_what_stands_beside_the_answer_has_the_limit_of_events(token: str, key: APIKey) -> None:
    items = [
        make_item(api_key_id=key.public_id, attributes={"team": "x" * 300_000}),
        make_item(api_key_id=key.public_id),
    ]
    assert statuses(items, token) == ["event_too_large", "accepted"]


def test_an_item_says_what_its_usage_is_for(token: str, key: APIKey, world: World) -> None:
    declare(world.acme, "team")
    sample = RESPONSES[0]
    said = {"api": "responses", "response": sample.answer, "attributes": {"team": "search"}, "project": ""}
    item = make_item(api_key_id=key.public_id, organization=world.acme.public_id, **said)
    assert statuses(item, token) == ["accepted"]
    assert UsageEvent.objects.filter(attribution_id__gt=0).count() == 4
    assert statuses(make_item(api_key_id=key.public_id, id="b", project="proj_other"), token) == ["unknown_project"]


def test_a_long_id_is_hashed_and_the_same_in_every_try(token: str, key: APIKey) -> None:
    item = make_item(api_key_id=key.public_id, id="very long " * 20)
    assert [statuses(item, token) for _ in range(2)] == [["accepted"], ["duplicate"]]


def test_the_senders_words_fill_what_the_answer_leaves_out(token: str, key: APIKey) -> None:
    sample = next(sample for sample in OTHERS if sample.api == "converse")
    item = make_item(api_key_id=key.public_id, provider="bedrock", api="converse", response=sample.answer)
    item |= {"model": "amazon.nova-pro-v1:0", "id": "mine", "region": "eu-central-1", "batch": True}
    assert statuses(item, token) == ["accepted"]
    region = price_words.number_of(Dimension.REGION, "eu-central-1")
    assert stored("model", "batch", "region") == [("amazon.nova-pro-v1:0", True, region)]


def test_an_api_key_reports_its_own_answers(world: World) -> None:
    _, secret = make_key_and_secret(world.rita)
    assert statuses(make_item(), secret) == ["accepted"]
    assert statuses(make_item(id="other", api_key_id="key_other"), secret) == ["forbidden_api_key"]


def test_strangers_are_sent_away(db: None) -> None:
    response = ask(make_item(), "it-unknown")
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")


def test_it_is_sent_with_post(client: Client, db: None) -> None:
    response = client.get(ADDRESS)
    assert (response.status_code, response["Allow"]) == (405, "POST")


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[1,", b'{"provider":'], ids=repr)
def test_a_body_that_cannot_be_read_is_refused_as_a_whole(token: str, body: bytes) -> None:
    response = ask(body, token)
    assert response.status_code == 400
    assert json.loads(response.content)["error"]["code"] in ("empty_body", "invalid_json")


def test_the_events_of_all_items_together_stay_within_a_request(token: str, key: APIKey) -> None:
    tools = [{"type": "web_search_call"}]
    answer = {"id": "r", "model": "gpt-5.4", "output": tools, "usage": {"input_tokens": 1, "output_tokens": 1}}
    item = make_item(api_key_id=key.public_id, api="responses", response=answer)
    response = ask([item] * 5_001, token)
    assert (response.status_code, json.loads(response.content)["error"]["code"]) == (413, "too_many_events")
    assert num_events() == 0


def test_it_comes_by_the_short_road() -> None:
    assert ADDRESS in fast_path.WAYS
