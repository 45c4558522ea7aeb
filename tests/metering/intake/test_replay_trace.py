"""`replay_trace` sends a trace over HTTP; sent twice it is stored once, and its sums are exact."""

import io
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django.live_server_helper import LiveServer

from billing.prices import rating
from metering.intake.traces import id_prefix
from metering.models import DailyUsage, UsageEvent
from tests.engine import days_ago, make_key, make_token, num_events, total_of
from tests.world import World

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"
ROWS = [(offset, 100 + 7 * offset, offset % 5) for offset in range(57)]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """57 requests, one each 30 minutes, so that they cross a midnight; with seven decimals as in the published traces."""
    path = tmp_path / "trace.csv"
    lines = [
        f"2023-11-16 {offset // 2:02d}:{30 * (offset % 2):02d}:03.9799600,{context},{generated}"
        if offset < 48
        else f"2023-11-17 {(offset - 48) // 2:02d}:{30 * (offset % 2):02d}:03.9799600,{context},{generated}"
        for offset, context, generated in ROWS
    ]
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path


def replay(path: Path, url: str, **options: Any) -> str:
    """What the command prints."""
    out = io.StringIO()
    arguments = {"url": url, "token": "it-none", "api_key_id": "key_none", "model": "gpt-4o", **options}
    if "start" not in arguments:
        arguments["start"] = days_ago(10).date()
    call_command(
        "replay_trace",
        str(path),
        *[f"--{name.replace('_', '-')}={value}" for name, value in arguments.items()],
        stdout=out,
        stderr=io.StringIO(),
    )
    return out.getvalue()


def test_a_trace_sent_twice_is_stored_once_with_exact_sums(world: World, trace: Path, live_server: LiveServer) -> None:
    options = {"token": make_token(), "api_key_id": make_key(world.rita).public_id, "batch": 20}
    assert replay(trace, live_server.url, **options) == "trace.csv: 57 accepted, 0 duplicates, 0 rejected\n"
    assert rating.catch_up() == 57
    assert replay(trace, live_server.url, **options) == "trace.csv: 0 accepted, 57 duplicates, 0 rejected\n"
    assert replay(trace, live_server.url, **options, speed=1e9).startswith("trace.csv: 0 accepted, 57 duplicates")
    assert rating.catch_up() == 0
    assert num_events() == 57
    assert total_of(world.acme, "num_model_requests") == 57
    assert total_of(world.acme, "input_tokens") == sum(context for _, context, _ in ROWS)
    assert total_of(world.acme, "output_tokens") == sum(generated for _, _, generated in ROWS)
    assert DailyUsage.objects.values("day").distinct().count() == 2


def test_the_first_request_is_at_the_start_and_the_others_as_far_behind_as_in_the_trace(
    world: World, trace: Path, live_server: LiveServer
) -> None:
    replay(trace, live_server.url, token=make_token(), api_key_id=make_key(world.rita).public_id)
    moments = sorted(UsageEvent.objects.values_list("occurred_at", flat=True))
    assert moments == [days_ago(10, hour=offset / 2) for offset in range(57)]


def test_rejected_events_are_told_and_end_with_an_error(world: World, trace: Path, live_server: LiveServer) -> None:
    with pytest.raises(CommandError, match="Some events were rejected"):
        replay(trace, live_server.url, token=make_token())
    assert num_events() == 0


def test_a_server_that_refuses_the_token_is_told_at_once(world: World, trace: Path, live_server: LiveServer) -> None:
    with pytest.raises(CommandError, match=r"401.*unauthenticated"):
        replay(trace, live_server.url)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "must have the columns TIMESTAMP,ContextTokens,GeneratedTokens"),
        ("time,in,out\n1,2,3\n", "must have the columns .* not time,in,out"),
        (f"{HEADER}\n2023-11-16 18:15:46.6805900,many,44\n", "row 1: .*many"),
        (f"{HEADER}\n2023-11-16 18:15:46.6805900,374,44\nyesterday,1,1\n", "row 2: .*yesterday"),
        (f"{HEADER}\n2023-11-16 18:15:46.6805900,374\n", "row 1"),
    ],
)
def test_what_is_no_trace_is_a_sentence_and_nothing_is_sent(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "no-trace.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CommandError, match=sentence):
        replay_without_database(path)


def test_a_file_that_is_not_there_or_no_text_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        replay_without_database(tmp_path / "nowhere.csv")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00\x80" * 100)
    with pytest.raises(CommandError, match="is no text"):
        replay_without_database(binary)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", "http://", "http://localhost:port"])
def test_an_address_that_is_none_is_a_sentence(trace: Path, url: str) -> None:
    with pytest.raises(CommandError, match="is no http address"):
        replay_without_database(trace, url)


def replay_without_database(path: Path, url: str = "http://127.0.0.1:9") -> None:
    replay(path, url, start=date(2026, 11, 1))


def test_a_file_as_browsers_and_spreadsheets_save_it_is_stored(
    world: World, trace: Path, live_server: LiveServer
) -> None:
    saved = trace.with_name("code (1) – Ünïcode and a rather long name of a file.csv")
    saved.write_bytes(b"\xef\xbb\xbf" + trace.read_bytes().replace(b"\n", b"\r\n"))
    options = {"token": make_token(), "api_key_id": make_key(world.rita).public_id}
    assert replay(saved, live_server.url, **options).endswith(": 57 accepted, 0 duplicates, 0 rejected\n")
    assert replay(saved, live_server.url, **options).endswith(": 0 accepted, 57 duplicates, 0 rejected\n")


def test_a_refusal_says_its_code(world: World, trace: Path, live_server: LiveServer) -> None:
    with pytest.raises(CommandError, match=r"Some events were rejected: unknown_api_key \(57\)\."):
        replay(trace, live_server.url, token=make_token())


def test_ids_of_two_files_are_never_the_same() -> None:
    names = ["a b", "a-b", "a(b", "x" * 50, "x" * 51, "é", "è", "trace"]
    prefixes = [id_prefix(name) for name in names]
    assert len(set(prefixes)) == len(names)
    assert all(0 < len(prefix) <= 40 and prefix.isascii() and " " not in prefix for prefix in prefixes)
    assert id_prefix("trace") == "trace"
