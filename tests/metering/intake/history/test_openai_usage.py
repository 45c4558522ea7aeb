"""Rows of OpenAI's usage export, and of our own Activity export of another installation."""

import csv
from pathlib import Path
from typing import Any

from accounts.models import Organization
from accounts.periods import one_day
from apikeys.models import APIKey
from exports.activity import activity_rows
from exports.columns import CSV
from metering.measures import MEASURES
from metering.models import OrganizationDailyUsage, UsageEvent
from metering.usage.queries import UsageQuery
from tests.engine import days_ago, make_event, make_key, num_events, roll_up, send, total_of
from tests.metering.intake.history.importing import refused, run, write_csv
from tests.world import World

OPENAI = "openai-usage-csv"


def row(**cells: Any) -> dict[str, Any]:
    """A day of one key, as OpenAI's export has it."""
    return {
        "operation": "completion",
        "n_context_tokens_total": 1200,
        "n_generated_tokens_total": 340,
        "api_key_id": "theirs",
        "api_key_name": "Laptop",
        "api_key_redacted": "sk-...abcd",
        "usage_type": "text",
        "model": "gpt-4o-2024-08-06",
        "timestamp": int(days_ago(3, 0).timestamp()),
        "user": "Rita Rao",
        "num_requests": 7,
        **cells,
    }


def said_keys(folder: Path, key: APIKey, *theirs: str) -> str:
    rows = [{"theirs": name, "api_key_id": key.public_id} for name in theirs]
    return str(write_csv(folder / "keys.csv", rows))


def test_a_row_becomes_one_event_of_all_its_requests(tmp_path: Path, world: World, token: str, key: APIKey) -> None:
    path = write_csv(tmp_path / "usage.csv", [row()])
    assert run(path, OPENAI, "--keys", said_keys(tmp_path, key, "theirs"))[0] == 0
    event = UsageEvent.objects.get()
    assert event.occurred_at == days_ago(3, 0)
    assert (event.num_model_requests, event.input_tokens, event.output_tokens) == (7, 1200, 340)


def test_the_same_day_exported_again_counts_once_and_a_grown_one_is_a_conflict(
    tmp_path: Path, world: World, token: str, key: APIKey
) -> None:
    keys = said_keys(tmp_path, key, "theirs")
    exports: list[tuple[dict[str, Any], int]] = [({}, 0), ({"api_key_name": "renamed"}, 0), ({"num_requests": 8}, 3)]
    for number, (cells, code) in enumerate(exports):
        path = write_csv(tmp_path / f"{number}.csv", [row(**cells)])
        assert run(path, OPENAI, "--keys", keys)[0] == code
    assert [reason for _, _, reason in refused(path)] == ["conflict"]
    assert num_events() == 1


def test_rows_that_name_no_key_are_their_persons(tmp_path: Path, world: World, token: str, key: APIKey) -> None:
    nameless = row(api_key_id="", api_key_redacted="")
    path = write_csv(tmp_path / "usage.csv", [nameless, {**nameless, "user": "Someone else"}, {**nameless, "user": ""}])
    assert run(path, OPENAI, "--keys", said_keys(tmp_path, key, "Rita Rao"))[0] == 3
    assert [code for _, _, code in refused(path)] == ["unknown_api_key", "missing_api_key_id"]


def test_numbers_that_are_none_are_refused(tmp_path: Path, world: World, token: str, key: APIKey) -> None:
    bad = [
        row(num_requests="many"),
        row(n_context_tokens_total="-5"),
        row(timestamp="yesterday"),
        row(operation="dance"),
    ]
    path = write_csv(tmp_path / "usage.csv", bad)
    assert run(path, OPENAI, "--keys", said_keys(tmp_path, key, "theirs"))[0] == 3
    codes = [code for _, _, code in refused(path)]
    assert codes == ["invalid_measure", "invalid_measure", "invalid_timestamp", "unknown_usage_type"]


def used(api_key: APIKey, token: str) -> None:
    """Usage of several kinds on one day, in several requests each."""
    common = {"api_key_id": api_key.public_id}
    kinds: list[dict[str, Any]] = [
        {"input_tokens": 500, "input_cached_tokens": 100, "output_tokens": 50, "output_reasoning_tokens": 20},
        {
            "input_tokens": 500,
            "input_cache_write_tokens": 90,
            "input_cache_write_long_tokens": 40,
            "service_tier": "flex",
        },
        {"input_tokens": 400, "input_audio_tokens": 30, "output_audio_tokens": 10, "batch": True, "provider": "azure"},
        {"usage_type": "images", "model": "dall-e-3", "input_tokens": None, "output_tokens": None, "images": 3},
        {"usage_type": "embeddings", "model": "text-embedding-3-small", "output_tokens": None},
        {"usage_type": "web_search_calls", "model": None, "input_tokens": None, "output_tokens": None},
        {"usage_type": "vector_stores", "model": None, "input_tokens": None, "output_tokens": None, "usage_bytes": 77},
    ]
    events = [
        make_event(id=f"{place}-{number}", timestamp=days_ago(2, 9 + number), **common, **kind)
        for place, kind in enumerate(kinds)
        for number in range(2)
    ]
    assert set(send(events, token)) == {"accepted"}
    roll_up()


def exported(organization: Organization, path: Path) -> Path:
    query = UsageQuery(organization_ids=(organization.pk,), period=one_day(days_ago(2).date()))
    path.write_text("".join(activity_rows(query, CSV)), encoding="utf-8", newline="")
    return path


def test_our_own_export_brings_every_sum_to_another_installation(
    tmp_path: Path, world: World, token: str, key: APIKey
) -> None:
    """The other installation is this one, emptied of its events and with other organizations."""
    used(key, token)
    path = exported(world.acme, tmp_path / "activity.csv")
    expected = {measure: total_of(world.acme, measure) for measure in MEASURES}
    with path.open(encoding="utf-8", newline="") as file:
        rows = [cells | {"organization_id": "org_elsewhere"} for cells in csv.DictReader(file)]
    path = write_csv(tmp_path / "elsewhere.csv", rows)
    other = make_key(world.charlie)
    keys = write_csv(tmp_path / "keys.csv", [{"theirs": key.public_id, "api_key_id": other.public_id}])
    code, said = run(path, OPENAI, "--keys", str(keys))
    assert code == 0, said
    roll_up()
    assert {measure: total_of(world.other, measure) for measure in MEASURES} == expected
    skus = OrganizationDailyUsage.objects.values_list("sku_id", flat=True)
    assert set(skus.filter(organization_id=world.other.pk)) == set(skus.filter(organization_id=world.acme.pk))


def test_an_export_of_this_installation_does_not_count_twice(
    tmp_path: Path, world: World, token: str, key: APIKey
) -> None:
    used(key, token)
    before = num_events()
    path = exported(world.acme, tmp_path / "activity.csv")
    assert run(path, OPENAI)[0] == 3
    assert {code for _, _, code in refused(path)} == {"own_export"}
    assert num_events() == before


def bucket(**cells: Any) -> dict[str, Any]:
    """A day of one key, as the export by `start_time` has it."""
    at = int(days_ago(3, 0).timestamp())
    times = {"start_time": at, "end_time": at + 86_400, "start_time_iso": "", "end_time_iso": ""}
    counts = {"num_model_requests": 7, "input_tokens": 1200, "output_tokens": 340, "input_cached_tokens": 200}
    names = {
        "api_key_id": "theirs",
        "user_id": "user-1",
        "project_id": "proj_theirs",
        "model": "gpt-4o",
        "batch": "False",
    }
    return {**times, **counts, "input_audio_tokens": 0, **names, **cells}


def test_rows_by_start_time_are_events_and_times_without_usage_are_ignored(
    tmp_path: Path, world: World, token: str, key: APIKey
) -> None:
    empty = {name: cell if name in {"start_time", "end_time"} else "" for name, cell in bucket().items()}
    path = write_csv(tmp_path / "completions_usage.csv", [bucket(), bucket(batch="True"), empty])
    keys = said_keys(tmp_path, key, "theirs")
    code, said = run(path, OPENAI, "--keys", keys)
    assert (code, said.splitlines()[1:]) == (0, ["  ignored empty_bucket: 1"])
    assert run(path, OPENAI, "--keys", keys)[1].startswith(f"{path.name}: 3 rows; 0 accepted, 2 stored already")
    for event in UsageEvent.objects.all():
        assert event.occurred_at == days_ago(3, 0)
        assert (event.num_model_requests, event.input_tokens, event.input_cached_tokens) == (7, 1200, 200)


def test_rows_by_start_time_that_do_not_say_enough_are_refused(
    tmp_path: Path, world: World, token: str, key: APIKey
) -> None:
    path = write_csv(tmp_path / "usage.csv", [bucket(num_model_requests=""), bucket(output_tokens="")])
    assert run(path, OPENAI, "--keys", said_keys(tmp_path, key, "theirs"))[0] == 3
    assert [code for _, _, code in refused(path)] == ["missing_field", "unknown_usage_type"]
