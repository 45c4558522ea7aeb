"""Rows of LiteLLM's table of spend logs, as `COPY … TO` writes them in CSV, and as JSON objects."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from apikeys.models import APIKey
from metering.models import UsageEvent
from tests.engine import days_ago, make_key_and_secret, num_events
from tests.metering.intake.history.importing import NDJSON, refused, run, write, write_csv
from tests.world import World

LITELLM = "litellm-spend-logs"
ANTHROPIC = {
    "prompt_tokens": 1120,
    "completion_tokens": 30,
    "total_tokens": 1150,
    "prompt_tokens_details": {"cached_tokens": 1000, "cache_creation_tokens": 20},
    "cache_read_input_tokens": 1000,
    "cache_creation_input_tokens": 20,
}


@pytest.fixture
def hashed(world: World, token: str) -> str:
    """What LiteLLM calls a key that is Rita's here."""
    _, secret = make_key_and_secret(world.rita)
    return hashlib.sha256(secret.encode()).hexdigest()


def log(hashed: str, **cells: Any) -> dict[str, Any]:
    return {
        "request_id": "chatcmpl-1",
        "call_type": "acompletion",
        "api_key": hashed,
        "spend": 0.0123,
        "total_tokens": 1150,
        "prompt_tokens": 1120,
        "completion_tokens": 30,
        "startTime": f"{days_ago(2, 10):%Y-%m-%d %H:%M:%S}.120",
        "endTime": f"{days_ago(2, 11):%Y-%m-%d %H:%M:%S}.345",
        "model": "anthropic/claude-sonnet-4-5",
        "custom_llm_provider": "anthropic",
        "metadata": {"usage_object": ANTHROPIC, "status": "success", "user_api_key_team_alias": "search"},
        "cache_hit": "False",
        "end_user": "customer-7",
        "messages": {"secret": "prompt"},
        "status": "success",
        **cells,
    }


def stored() -> dict[str, int]:
    """What the one event reports, without what is none."""
    event = UsageEvent.objects.get()
    names = (
        "input_tokens",
        "input_cached_tokens",
        "input_cache_write_tokens",
        "output_tokens",
        "output_reasoning_tokens",
    )
    return {name: getattr(event, name) for name in names if getattr(event, name)}


def test_a_row_of_pictures_has_their_number(tmp_path: Path, hashed: str) -> None:
    """The table keeps no answers."""
    usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0, "output_image_count": 3}
    cells = {"total_tokens": 0, "prompt_tokens": 0, "completion_tokens": 0, "metadata": {"usage_object": usage}}
    assert run(write(tmp_path, [log(hashed, call_type="aimage_generation", **cells)]), LITELLM)[0] == 0
    assert UsageEvent.objects.get().images == 3


def test_a_row_becomes_the_event_of_its_request(tmp_path: Path, hashed: str) -> None:
    assert run(write(tmp_path, [log(hashed)]), LITELLM)[0] == 0
    assert UsageEvent.objects.get().occurred_at == days_ago(2, 11).replace(microsecond=345_000)
    assert stored() == {
        "input_tokens": 1120,
        "input_cached_tokens": 1000,
        "input_cache_write_tokens": 20,
        "output_tokens": 30,
    }


def test_csv_and_json_are_the_same_event(tmp_path: Path, hashed: str) -> None:
    row = log(hashed, endTime=f"{days_ago(2, 11):%Y-%m-%dT%H:%M:%S}.345Z")
    assert run(write(tmp_path, [row]), LITELLM)[0] == 0
    cells = {**log(hashed), "metadata": json.dumps(row["metadata"]), "messages": "{}", "session_id": ""}
    path = write_csv(tmp_path / "logs.csv", [cells])
    assert run(path, LITELLM) == (0, "logs.csv: 1 row; 0 accepted, 1 stored already, 0 refused, 0 ignored.\n")


def test_rows_of_older_versions_have_their_parts_in_other_places(tmp_path: Path, hashed: str) -> None:
    """Before the whole usage was kept, only what was not in columns was; or nothing at all."""
    metadata = {
        "additional_usage_values": {
            "cache_read_input_tokens": 1000,
            "completion_tokens_details": {"reasoning_tokens": 9},
        }
    }
    assert run(write(tmp_path, [log(hashed, metadata=metadata)]), LITELLM)[0] == 0
    assert stored() == {
        "input_tokens": 1120,
        "input_cached_tokens": 1000,
        "output_tokens": 30,
        "output_reasoning_tokens": 9,
    }


def test_what_is_no_usage_of_a_model_is_ignored_and_counted(tmp_path: Path, hashed: str) -> None:
    none = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "metadata": {"status": "failure"}}
    rows = [
        log(hashed, request_id="hit", cache_hit="True"),
        log(hashed, request_id="failed", status=None, **none),
        log(hashed, request_id="list", call_type="alist_batches"),
        log(hashed, request_id="broken", status="failure"),
    ]
    code, said = run(write(tmp_path, rows), LITELLM)
    assert code == 0
    assert said.splitlines() == [
        f"{NDJSON}: 4 rows; 1 accepted, 0 stored already, 0 refused, 3 ignored.",
        "  ignored cache_hit: 1",
        "  ignored call_type: 1",
        "  ignored failure: 1",
    ]


def test_rows_that_cannot_be_are_refused_without_their_prompts(tmp_path: Path, hashed: str) -> None:
    rows = [
        log(hashed, request_id="a", endTime="later"),
        log(hashed, request_id="b", metadata={"usage_object": {"prompt_tokens": "12"}}),
        log("0" * 64, request_id="c"),
        log(hashed, request_id=None),
        log(hashed, request_id="e", model=""),
    ]
    path = write(tmp_path, rows)
    assert run(path, LITELLM)[0] == 3
    assert [code for _, _, code in refused(path)] == [
        "invalid_timestamp",
        "invalid_measure",
        "unknown_api_key",
        "invalid_field",
        "invalid_model",
    ]
    assert "prompt" not in (tmp_path / f"{NDJSON}.refused.csv").read_text(encoding="utf-8").replace("prompt_tokens", "")


def test_a_key_is_its_alias_where_that_is_one_of_our_ids(tmp_path: Path, hashed: str, key: APIKey) -> None:
    metadata = {"user_api_key_alias": key.public_id}
    assert run(write(tmp_path, [log("0" * 64, metadata=metadata)]), LITELLM)[0] == 0
    assert UsageEvent.objects.get().api_key_id == key.pk


def test_an_organization_of_ours_is_where_the_usage_counts(tmp_path: Path, world: World, hashed: str) -> None:
    rows = [
        log(hashed, request_id="a", organization_id="an-organization-of-litellm"),
        log(hashed, request_id="b", metadata={"user_api_key_org_id": world.acme.public_id}),
        log(hashed, request_id="c", organization_id=world.other.public_id),
    ]
    path = write(tmp_path, rows)
    assert run(path, LITELLM)[0] == 3
    assert [code for _, _, code in refused(path)] == ["not_a_member"]
    assert set(UsageEvent.objects.values_list("organization_id", flat=True)) == {world.acme.pk}


def post(row: dict[str, Any], token: str, **fields: Any) -> None:
    """What the callback sends of the call in this row: it says when the call ended to the microsecond."""
    names = ("call_type", "status", "model", "custom_llm_provider", "end_user", "request_tags")
    sent = {
        "id": row["request_id"],
        "endTime": days_ago(2, 11).replace(microsecond=345_678).timestamp(),
        "cache_hit": False,
        **{name: row[name] for name in names if name in row},
        "metadata": {**row["metadata"], "user_api_key_hash": row["api_key"]},
        **fields,
    }
    headers = {"Authorization": f"Bearer {token}"}
    answer = Client().post("/v1/integrations/litellm", [sent], content_type="application/json", headers=headers)
    assert answer.status_code == 200, answer.content


def test_a_row_is_the_event_that_the_callback_sends_of_the_same_call(tmp_path: Path, token: str, hashed: str) -> None:
    """With a search, which is an event of its own."""
    usage = {**ANTHROPIC, "server_tool_use": {"web_search_requests": 2}}
    row = log(
        hashed, metadata={"usage_object": usage, "user_api_key_team_alias": "search"}, request_tags=["feature:chat"]
    )
    post(row, token)
    assert num_events() == 2
    assert run(write(tmp_path, [row]), LITELLM)[1].startswith(f"{NDJSON}: 1 row; 0 accepted, 2 stored already")


def test_a_row_whose_model_the_callback_knew_better_counts_once(tmp_path: Path, token: str, hashed: str) -> None:
    row = log(hashed)
    post(row, token, response={"model": "claude-sonnet-4-5-20250929"})
    path = write(tmp_path, [row])
    assert run(path, LITELLM)[0] == 3
    assert [code for _, _, code in refused(path)] == ["conflict"]
    assert num_events() == 1


def test_embeddings_have_no_output_and_ids_that_are_too_long_are_hashed(tmp_path: Path, hashed: str) -> None:
    row = log(
        hashed,
        request_id="resp_" + "x" * 300,
        call_type="aembedding",
        metadata=None,
        completion_tokens=0,
        total_tokens=1120,
    )
    path = write(tmp_path, [row])
    assert run(path, LITELLM)[0] == 0
    assert stored() == {"input_tokens": 1120}
    assert run(path, LITELLM)[1].startswith(f"{NDJSON}: 1 row; 0 accepted, 1 stored already")
    assert num_events() == 1
