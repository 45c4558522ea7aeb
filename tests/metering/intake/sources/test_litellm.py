"""`POST /v1/integrations/litellm`: what LiteLLM's proxy logs, as it posts it."""

import gzip
import json
import logging
from typing import Any, Final

import pytest
from django.db import connection

from accounts.audit.audit import SYSTEM_ACTOR
from accounts.clock import database_now
from apikeys.keys import importing, keys
from metering.ingestion_models import RefusedItem, UnknownKey
from metering.intake import fast_path
from metering.intake.received.tally import tally
from metering.models import UsageEvent
from tests.engine import case_name, days_ago, make_event, make_key_and_secret, num_events, send
from tests.metering.intake.sources.litellm_payloads import (
    ADDRESS,
    SECRET_WORDS,
    USAGE,
    ask,
    counted,
    hash_of,
    make_payload,
    statuses,
)
from tests.metering.intake.sources.test_responses import stored
from tests.world import World

NO_RESPONSE: Final = {"response": None}
MEASURES: Final = ("input_tokens", "input_cached_tokens", "input_cache_write_tokens", "output_tokens")


@pytest.fixture
def secret(world: World) -> str:
    """The secret of a key of Rita's, as it would be LiteLLM's virtual key."""
    return make_key_and_secret(world.rita)[1]


def test_a_call_is_stored_as_its_event(token: str, secret: str) -> None:
    assert statuses([make_payload(secret)], token) == ["accepted"]
    assert stored("model", *MEASURES) == [("gpt-4o-2024-08-06", 100, 40, None, 20)]


def test_it_is_the_event_that_the_native_format_would_have_been(token: str, world: World) -> None:
    key, secret = make_key_and_secret(world.rita)
    native = make_event(
        id="chatcmpl-1",
        api_key_id=key.public_id,
        provider="openai",
        model="gpt-4o-2024-08-06",
        input_tokens=100,
        input_cached_tokens=40,
        output_tokens=20,
    )
    assert statuses([make_payload(secret)], token) == ["accepted"]
    assert send(native, token) == ["duplicate"]


def test_payloads_come_as_an_array_as_lines_and_alone(token: str, secret: str) -> None:
    payloads = [make_payload(secret, id=f"call-{n}") for n in range(3)]
    lines = b"\n".join(json.dumps(payload).encode() for payload in payloads)
    assert statuses(payloads, token) == ["accepted"] * 3
    assert statuses(lines, token, content_type="application/x-ndjson") == ["duplicate"] * 3
    assert statuses(lines, token) == ["duplicate"] * 3
    assert statuses(payloads[0], token) == ["duplicate"]
    assert statuses(gzip.compress(lines), token, **{"Content-Encoding": "gzip"}) == ["duplicate"] * 3


def test_an_empty_batch_is_answered_as_well(token: str) -> None:
    assert statuses([], token) == []


def test_a_key_is_found_by_its_hash_before_and_after_a_rotation(token: str, world: World) -> None:
    key, old = make_key_and_secret(world.rita)
    new = keys.rotate_api_key(api_key=key, overlap=days_ago(0) - days_ago(1), now=database_now())
    payloads = [make_payload(old, id="a"), make_payload(new, id="b")]
    assert statuses(payloads, token) == ["accepted", "accepted"]
    assert set(UsageEvent.objects.values_list("api_key_id", flat=True)) == {key.id}


def test_a_key_is_found_by_an_alias_that_is_its_id(token: str, world: World) -> None:
    key, _ = make_key_and_secret(world.rita)
    by_alias = {"user_api_key_alias": key.public_id}
    payloads = [
        make_payload(metadata=by_alias, id="a"),
        make_payload("sk-litellms-own", metadata=by_alias, id="b"),
        make_payload(metadata={"user_api_key_alias": "laptop"}, id="c"),
        make_payload(id="d", metadata={"user_api_key_hash": "litellm_proxy_master_key"}),
    ]
    assert statuses(payloads, token) == ["accepted", "accepted", "missing_api_key_id", "unknown_api_key"]


def test_a_key_that_came_in_clear_is_found_and_never_shown(token: str, secret: str) -> None:
    other = "sk-" + "x" * 40
    payloads = [
        make_payload(metadata={"user_api_key_hash": secret}),
        make_payload(metadata={"user_api_key_hash": other}, id="b"),
    ]
    response = ask(payloads, token).content.decode()
    assert [result.get("code", result["status"]) for result in json.loads(response)["results"]] == [
        "accepted",
        "unknown_api_key",
    ]
    tally.write()
    assert other not in response
    assert [unknown.key for unknown in UnknownKey.objects.all()] == ["sha256:" + hash_of(other)[:16]]


def test_an_unknown_key_is_a_counted_refusal_and_taken_once_it_is_imported(token: str, world: World) -> None:
    virtual = "sk-virtual-key-of-litellm"
    payload = make_payload(virtual)
    assert statuses([payload], token) == ["unknown_api_key"]
    assert counted("rejected") == {"unknown_api_key": 1}
    (item,) = RefusedItem.objects.all()
    assert (item.key, item.event_id) == ("sha256:" + hash_of(virtual)[:16], "chatcmpl-1")
    now = database_now()
    assert importing.import_api_key(
        email=world.rita.email, name="LiteLLM", digest=hash_of(virtual), now=now, actor=SYSTEM_ACTOR
    )
    assert statuses([payload, payload], token) == ["accepted", "duplicate"]


def test_an_organization_of_ours_is_where_it_counts(token: str, secret: str, world: World) -> None:
    metadata = {"user_api_key_org_id": world.acme.public_id}
    assert statuses([make_payload(secret, metadata=metadata)], token) == ["accepted"]
    assert statuses([make_payload(secret, id="b", metadata={"user_api_key_org_id": "7c1c-uuid"})], token) == [
        "accepted"
    ]
    other = {"user_api_key_org_id": "org_0123456789abcdefg"}
    assert statuses([make_payload(secret, id="c", metadata=other)], token) == ["not_a_member"]


def test_what_is_no_usage_is_counted_and_left_out(token: str, secret: str) -> None:
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "metadata": {"usage_object": None}}
    payloads = [
        make_payload(secret, call_type="arerank"),
        make_payload(secret, call_type="pass_through_endpoint"),
        make_payload(secret, call_type="aretrieve_batch"),
        make_payload(secret, cache_hit=True),
        make_payload(secret, status="failure", **NO_RESPONSE, **nothing),
        make_payload(secret, status="failure", id="cut"),
    ]
    assert statuses(payloads, token) == ["ignored"] * 5 + ["accepted"]
    assert counted("ignored") == {"call_type": 3, "cache_hit": 1, "failure": 1}
    assert counted("accepted") == {"": 1}
    assert num_events() == 1


def test_answers_of_litellms_cache_count_where_that_is_set(token: str, secret: str, settings: Any) -> None:
    settings.LITELLM_COUNT_CACHE_HITS = True
    assert statuses([make_payload(secret, cache_hit=True)], token) == ["accepted"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"metadata": {"usage_object": {"prompt_tokens": "100"}}}, "invalid_measure"),
        ({"metadata": {"usage_object": {"prompt_tokens": 1.5}}}, "invalid_measure"),
        ({"metadata": {"usage_object": {"prompt_tokens": -5}}}, "invalid_measure"),
        ({"metadata": {"usage_object": None}, "response": {"usage": {"prompt_tokens": "1"}}}, "invalid_measure"),
        ({"prompt_tokens": 2**64}, "invalid_measure"),
        ({"endTime": "yesterday"}, "invalid_timestamp"),
        ({"endTime": 1e300}, "invalid_timestamp"),
        ({"endTime": 1_000_000_000}, "too_old"),
        ({"endTime": None}, "invalid_timestamp"),
        ({"id": None}, "invalid_event"),
        ({"id": ""}, "invalid_id"),
        ({"metadata": {"user_api_key_hash": 7}}, "invalid_event"),
        ({"model": None, "response": None}, "invalid_model"),
        (
            {
                "call_type": "aspeech",
                **NO_RESPONSE,
                "metadata": {"usage_object": None},
                "prompt_tokens": 0,
                "completion_tokens": 0,
                "total_tokens": 0,
            },
            "no_usage",
        ),
    ],
    ids=case_name,
)
def test_a_payload_that_cannot_be_taken_says_why_and_costs_no_neighbour(
    token: str, secret: str, fields: dict[str, Any], code: str
) -> None:
    found = statuses(
        [make_payload(secret, id="a"), make_payload(secret, **fields), make_payload(secret, id="b")], token
    )
    assert found == ["accepted", code, "accepted"]
    assert counted("rejected") == {code: 1}
    assert num_events() == 2


def test_what_is_no_payload_costs_no_neighbour(token: str, secret: str) -> None:
    body = b'[5, {"id": "x"}, %s, null, "text"]' % json.dumps(make_payload(secret)).encode()
    codes = ["invalid_event", "missing_field", "accepted", "invalid_event", "invalid_event"]
    assert statuses(body, token) == codes


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[1,", b'{"id":'], ids=repr)
def test_a_body_that_cannot_be_read_is_refused_as_a_whole(token: str, body: bytes) -> None:
    response = ask(body, token)
    assert response.status_code == 400
    assert json.loads(response.content)["error"]["code"] in ("empty_body", "invalid_json")


def test_prompts_are_neither_stored_nor_logged_nor_said(
    token: str, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    payloads = [
        make_payload(secret),
        make_payload("sk-unknown", id="b"),
        make_payload(secret, metadata={"usage_object": {"prompt_tokens": SECRET_WORDS}}),
        make_payload(secret, response={"model": {"x": SECRET_WORDS}, "usage": SECRET_WORDS}, id="c"),
        make_payload(secret, call_type="arerank"),
    ]
    answer = ask(payloads, token).content.decode()
    assert json.loads(answer)["rejected"] == 2
    tally.write()
    assert SECRET_WORDS not in answer + caplog.text
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT count(*) FROM "{table}" AS t WHERE t::text LIKE %s', [f"%{SECRET_WORDS}%"])
            assert cursor.fetchone() == (0,), table


def test_a_payload_with_five_megabytes_of_prompts_is_taken(token: str, secret: str) -> None:
    large = make_payload(secret, messages=[{"role": "user", "content": "word, {[\\ " * 500_000}])
    assert statuses([large, make_payload(secret, id="b")], token) == ["accepted", "accepted"]


def test_a_prompt_that_was_cut_within_a_character_does_not_cost_the_usage(token: str, secret: str) -> None:
    cut = json.dumps(make_payload(secret)).replace(SECRET_WORDS, "\\ud83d").encode()
    assert statuses(b"[" + cut + b"," + cut + b"]", token) == ["accepted", "duplicate"]


def test_a_long_id_is_hashed_and_the_same_in_every_try(token: str, secret: str) -> None:
    payload = make_payload(secret, id="resp_" + "bGl0ZWxsbTpjdXN0b21fbGxtX3Byb3ZpZGVy" * 4)
    assert [statuses([payload], token) for _ in range(2)] == [["accepted"], ["duplicate"]]


def test_changes_of_counts_are_counted(token: str, secret: str) -> None:
    usage = {**USAGE, "total_tokens": 150}
    assert statuses([make_payload(secret, metadata={"usage_object": usage})], token) == ["accepted"]
    assert counted("normalised") == {"completions/total_says_more_output": 1}


def test_an_api_key_reports_its_own_calls(world: World, secret: str) -> None:
    _, other = make_key_and_secret(world.bob)
    assert statuses([make_payload(secret)], secret) == ["accepted"]
    assert statuses([make_payload(other, id="b")], secret) == ["forbidden_api_key"]


def test_strangers_are_sent_away(db: None) -> None:
    response = ask([make_payload()], "it-unknown")
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")


def test_it_comes_by_the_short_road() -> None:
    assert ADDRESS in fast_path.WAYS
