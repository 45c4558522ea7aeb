"""`import_events` takes a file of history as the events that it tells of: once, whole, and with a sentence for what it cannot."""

import gzip
import hashlib
from pathlib import Path
from typing import Any

import pytest
from backports import zstd
from django.db import OperationalError
from pytest_django import Settings

from accounts.clock import database_now
from apikeys.keys import keys
from apikeys.models import APIKey, IngestToken
from metering.ingestion_models import IngestCount
from metering.intake import ingest
from metering.intake.history import run as history_run
from metering.intake.received import tally
from metering.models import UsageEvent
from tests.engine import days_ago, make_event, make_key_and_secret, make_token, num_events
from tests.metering.intake.history.importing import NDJSON, lines_of, refused, run, write, write_csv
from tests.world import World


@pytest.fixture
def events(token: str, key: APIKey) -> list[dict[str, Any]]:
    return [
        make_event(id=f"event-{number}", api_key_id=key.public_id, input_tokens=100 + number) for number in range(7)
    ]


def test_a_file_is_imported_once_however_often_it_is_given(tmp_path: Path, events: list[dict[str, Any]]) -> None:
    path = write(tmp_path, events)
    assert run(path) == (0, "events.ndjson: 7 rows; 7 accepted, 0 stored already, 0 refused, 0 ignored.\n")
    assert run(path) == (0, "events.ndjson: 7 rows; 0 accepted, 7 stored already, 0 refused, 0 ignored.\n")
    assert num_events() == 7
    assert sorted(file.name for file in tmp_path.iterdir()) == [NDJSON]


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress], ids=["gzip", "zstd"])
def test_files_may_be_packed(tmp_path: Path, events: list[dict[str, Any]], pack: Any) -> None:
    path = tmp_path / "events.packed"
    path.write_bytes(pack(lines_of(events)))
    assert run(path)[0] == 0
    assert num_events() == 7


@pytest.mark.parametrize("left_off", [1, 8, 100], ids=["a byte", "the trailer", "events"])
def test_a_packed_file_that_was_cut_off_is_said(tmp_path: Path, events: list[dict[str, Any]], left_off: int) -> None:
    path = tmp_path / "events.ndjson.gz"
    path.write_bytes(gzip.compress(lines_of(events))[:-left_off])
    code, said = run(path)
    assert code == 1
    assert said.startswith("A file cannot be read or written: Compressed file ended")


def test_csv_says_the_same_as_json(tmp_path: Path, world: World, token: str, key: APIKey) -> None:
    said = {"id": "one", "timestamp": days_ago(1), "usage_type": "completions", "model": "gpt-4o", "input_tokens": 5}
    in_json = {**said, "output_tokens": 2, "batch": True, "api_key_id": key.public_id, "attributes": {"team": "search"}}
    in_csv = {
        **in_json,
        "timestamp": days_ago(1).isoformat(),
        "batch": "true",
        "attributes": '{"team": "search"}',
        "seconds": "",
    }
    assert run(write(tmp_path, [in_json]))[0] == 0
    path = write_csv(tmp_path / "events.csv", [in_csv])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert run(path) == (0, "events.csv: 1 row; 0 accepted, 1 stored already, 0 refused, 0 ignored.\n")


def test_each_bad_row_is_told_with_its_line_and_costs_its_neighbours_nothing(
    tmp_path: Path, events: list[dict[str, Any]], settings: Settings
) -> None:
    settings.FOREIGN_ITEM_MAX_BYTES = 1_000
    good = [line + b"\n" for line in lines_of(events).splitlines()]
    bad = [
        b"{nonsense\n",
        b"\n",
        b'{"id": "long", "x": "' + b"x" * 2_000 + b'"}\n',
        b'{"id": "\xff"}\n',
        b'{"id": "new"}\n',
    ]
    path = tmp_path / NDJSON
    path.write_bytes(b"".join([good[0], *bad, *good[1:]]))
    code, said = run(path)
    assert code == 3
    assert "7 accepted, 0 stored already, 4 refused" in said
    assert said.endswith(f"4 rows refused; which and why is in {tmp_path / NDJSON}.refused.csv.")
    assert [(line, reason) for line, _, reason in refused(path)] == [
        (2, "invalid_json"),
        (4, "event_too_large"),
        (5, "invalid_utf8"),
        (6, "missing_field"),
    ]


def test_bad_rows_of_csv_are_told_with_their_line(tmp_path: Path, token: str, key: APIKey) -> None:
    at = days_ago(1).isoformat()
    path = tmp_path / "events.csv"
    path.write_bytes(
        b"id,timestamp,usage_type,model,api_key_id,input_tokens\r\n"
        + f'"good\r\none",{at},completions,gpt-4o,{key.public_id},5\r\n'.encode()
        + f"short,{at},completions\n".encode()
        + f"half,{at},completions,gpt-4o,{key.public_id},0.5\n".encode()
        + f"text,{at},completions,gpt-4o,{key.public_id},007\n\n".encode()
        + f"caf\xe9,{at},completions,gpt-4o,{key.public_id},5\n".encode("latin-1")
        + f"good,{at},completions,gpt-4o,{key.public_id},5\n".encode()
    )
    assert run(path)[0] == 3
    assert [(line, code) for line, _, code in refused(path)] == [
        (3, "invalid_id"),
        (4, "invalid_row"),
        (5, "invalid_measure"),
        (6, "invalid_measure"),
        (8, "invalid_utf8"),
    ]
    assert num_events() == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'[{"id": "x"}]', "The file is one JSON array: write one object a line (jq -c '.[]' FILE)."),
        (b"id,model\nx,y\n", "The first line must name the columns; missing: timestamp, usage_type."),
        (b"", "The first line must name the columns; missing: id, timestamp, usage_type."),
    ],
)
def test_a_file_that_has_no_rows_to_read_is_refused(tmp_path: Path, token: str, content: bytes, sentence: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert run(path) == (1, sentence)


def test_a_missing_file_is_said(tmp_path: Path, token: str) -> None:
    code, said = run(tmp_path / "none")
    assert (code, said[:32]) == (1, "A file cannot be read or written")


def test_an_import_that_was_stopped_goes_on_where_it_was(
    tmp_path: Path, events: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    events[1]["model"] = events[6]["model"] = ""
    path = write(tmp_path, events)
    monkeypatch.setattr(history_run, "CHUNK", 2)
    real, calls = ingest.store, []

    def store(found: Any, **said: Any) -> Any:
        calls.append([event.id for event in found])
        if len(calls) == 3:
            raise OperationalError("the server closed the connection")
        return real(found, **said)

    monkeypatch.setattr(ingest, "store", store)
    code, said = run(path)
    assert code == 1
    assert "the server closed the connection. Run it again to go on from here." in said
    assert num_events() == 3
    code, said = run(path)
    assert "7 rows; 5 accepted, 0 stored already, 2 refused" in said
    assert calls[2] == calls[3] == ["event-4", "event-5"]
    assert [line for line, _, _ in refused(path)] == [2, 7]


def test_a_file_that_changed_after_a_stop_is_read_from_its_start(
    tmp_path: Path, events: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, events)
    monkeypatch.setattr(history_run, "CHUNK", 2)
    with monkeypatch.context() as patch:
        patch.setattr(history_run, "_write_refused", _stop_at_second())
        assert run(path)[0] == 130
    path = write(tmp_path, [*reversed(events), make_event(id="more", api_key_id=events[0]["api_key_id"])])
    assert run(path)[0] == 0
    assert num_events() == 8


def _stop_at_second() -> Any:
    calls: list[None] = []

    def stop(*_said: Any) -> None:
        calls.append(None)
        if len(calls) == 2:
            raise KeyboardInterrupt

    return stop


def test_a_dry_run_stores_nothing_and_says_what_would_be_refused(
    tmp_path: Path, world: World, events: list[dict[str, Any]]
) -> None:
    events[2]["api_key_id"] = "key_nobody"
    events[3]["timestamp"] = days_ago(61)
    events[4]["model"] = "a-model-that-nobody-knows"
    path = write(tmp_path, events)
    code, said = run(path, "native", "--dry-run")
    assert code == 3
    assert "5 would be accepted, unless they are stored already, 2 refused, 0 ignored." in said
    assert "refused too_old: 1" in said
    assert num_events() == 0
    tally.tally.write()
    assert not IngestCount.objects.exists()
    assert run(path)[1].startswith("events.ndjson: 7 rows; 5 accepted")


def test_what_is_imported_is_counted_for_the_operator(tmp_path: Path, events: list[dict[str, Any]]) -> None:
    events[0]["model"] = ""
    run(write(tmp_path, [*events, events[1]]))
    tally.tally.write()
    found = IngestCount.objects.filter(grain="day").values_list("source", "token_id", "kind", "code", "number")
    gateway = IngestToken.objects.get().pk
    assert sorted(found) == [
        ("import", gateway, "accepted", "", 6),
        ("import", gateway, "duplicate", "", 1),
        ("import", gateway, "rejected", "invalid_model", 1),
    ]


def test_events_come_in_the_name_of_an_ingest_token(tmp_path: Path, world: World, key: APIKey) -> None:
    path = write(tmp_path, [make_event(api_key_id=key.public_id)])
    assert run(path)[1] == "There is no ingest token yet: create_ingest_token NAME makes one."
    make_token("one")
    make_token("two")
    assert "--token NAME" in run(path)[1]
    assert run(path, "native", "--token", "three")[0] == 1
    assert run(path, "native", "--token", "two")[0] == 0
    keys.revoke_ingest_token(token=IngestToken.objects.get(name="two"), now=database_now())
    assert run(path, "native", "--token", "two")[0] == 1


def test_keys_are_found_by_their_digest_and_by_what_a_file_says(tmp_path: Path, world: World, token: str) -> None:
    api_key, secret = make_key_and_secret(world.rita)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    names = [digest, digest.upper(), "proxy-key", None, "stranger"]
    path = write(tmp_path, [make_event(id=f"e{n}", api_key_id=name) for n, name in enumerate(names)])
    rows = [{"theirs": "proxy-key", "api_key_id": api_key.public_id}, {"theirs": "", "api_key_id": api_key.public_id}]
    said = write_csv(tmp_path / "keys.csv", rows)
    assert run(path, "native", "--keys", str(said))[0] == 3
    assert [code for _, _, code in refused(path)] == ["unknown_api_key"]
    assert set(UsageEvent.objects.values_list("api_key_id", flat=True)) == {api_key.pk}
    assert num_events() == 4
    said.write_text("theirs,api_key_id\nx,key_nobody\n", encoding="utf-8")
    assert run(path, "native", "--keys", str(said)) == (1, "No API key has this id: key_nobody.")


def test_no_secret_of_a_file_is_written_beside_it(tmp_path: Path, token: str) -> None:
    path = write(tmp_path, [make_event(id="sk-" + "a" * 40, api_key_id="sk-" + "b" * 40)])
    assert run(path)[0] == 3
    text = (tmp_path / f"{NDJSON}.refused.csv").read_text(encoding="utf-8")
    assert "unknown_api_key" in text
    assert "aaaa" not in text
    assert "bbbb" not in text
