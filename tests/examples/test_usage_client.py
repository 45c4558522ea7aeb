"""`examples/usage_client.py`: what is reported arrives, once, whatever servers, networks, threads, forks and exits do."""

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer
from usage_client import UsageClient

from metering.models import UsageEvent
from tests.engine import days_ago, make_key, make_token, num_events
from tests.examples.flaky import Flaky, serving
from tests.world import World

SECRET = "it-test"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
COMMON: dict[str, Any] = {"usage_type": "completions", "model": "gpt-4o", "input_tokens": 12, "output_tokens": 3}


@pytest.fixture
def flaky() -> Iterator[Flaky]:
    with serving(Flaky()) as found:
        yield found


def client_of(url: str, token: str = SECRET, **said: Any) -> UsageClient:
    return UsageClient(url, token, **{"interval_seconds": 0.02, **said})


def test_what_threads_report_is_stored_and_counts_once(live_server: LiveServer, world: World) -> None:
    key, client = make_key(world.rita), client_of(live_server.url, make_token(), batch_events=50)
    at = days_ago(1).timestamp()

    def report(number: int) -> None:
        for turn in range(40):
            client.report(id=f"{number % 4}-{turn}", timestamp=at, api_key_id=key.public_id, **COMMON)

    threads = [threading.Thread(target=report, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.flush()
    client.close()
    assert num_events() == 160
    assert (client.dropped, client.refused) == (0, 0)


def test_what_the_server_refuses_is_counted_and_said(
    live_server: LiveServer, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(live_server.url, make_token())
    client.report(api_key_id=make_key(world.rita).public_id, **COMMON)
    client.report(api_key_id="key_nobody", **COMMON)
    assert client.flush()
    client.close()
    assert client.refused == 1
    assert "unknown_api_key: No API key has this `api_key_id`." in caplog.text
    assert UsageEvent.objects.count() == 1


def test_a_batch_is_sent_again_as_it_was_until_it_is_taken(flaky: Flaky) -> None:
    flaky.answers = [(503, {"Retry-After": "1"}, b"later"), (200, {}, b"<html>a proxy</html>"), (502, {}, b"")]
    client = client_of(flaky.url)
    ids = [client.report(**COMMON) for _ in range(3)]
    assert client.flush()
    client.close()
    assert len(flaky.batches) == 4
    assert flaky.batches[1] == flaky.batches[2] == flaky.batches[3]
    assert flaky.ids()[-1] == ids
    assert flaky.times[1] - flaky.times[0] >= 1.0


def test_nothing_is_lost_while_the_token_is_wrong_or_nobody_listens(flaky: Flaky) -> None:
    flaky.answers = [(401, {}, b"no")]
    client = client_of(flaky.url)
    client.report(**COMMON)
    assert client.flush()
    client.close()
    assert len(flaky.batches) == 2
    deaf = client_of("http://127.0.0.1:9", exit_seconds=0.1)
    deaf.report(**COMMON)
    assert not deaf.flush(0.2)
    deaf.close()
    assert deaf.dropped == 1


def test_a_batch_that_is_too_large_is_sent_in_parts(flaky: Flaky) -> None:
    flaky.answers = [(413, {}, b"too large"), (413, {}, b"too large")]
    client = client_of(flaky.url, interval_seconds=0.2)
    ids = [client.report(**COMMON) for _ in range(8)]
    assert client.flush()
    client.close()
    assert [len(batch) for batch in flaky.batches[:3]] == [8, 4, 2]
    assert [found for batch in flaky.ids()[2:] for found in batch] == ids


def test_what_the_server_will_never_read_does_not_hold_up_the_rest(flaky: Flaky) -> None:
    flaky.answers = [(400, {}, b"invalid")]
    client = client_of(flaky.url)
    client.report(**COMMON)
    assert client.flush()
    client.report(id="next", **COMMON)
    assert client.flush()
    client.close()
    assert client.refused == 1
    assert flaky.ids()[-1] == ["next"]


def test_memory_is_bounded_and_what_finds_no_room_is_counted_and_said(caplog: pytest.LogCaptureFixture) -> None:
    client = client_of("http://127.0.0.1:9", max_events=10, exit_seconds=0.0)
    with caplog.at_level(logging.ERROR):
        for _ in range(100):
            client.report(**COMMON)
    assert client.dropped == 90
    assert len([record for record in caplog.records if "no room is left" in record.message]) == 7
    client.close()
    assert client.dropped == 100


def run(code: str, url: str) -> None:
    """A program of its own, which uses the client at `url`."""
    head = f"import os, sys; sys.path.insert(0, {str(EXAMPLES)!r}); from usage_client import UsageClient\n"
    head += f"usage = UsageClient({url!r}, 'it-test', interval_seconds=60)\n"
    found = subprocess.run([sys.executable, "-c", head + code], capture_output=True, text=True, timeout=30, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def test_what_waits_is_sent_at_exit(flaky: Flaky) -> None:
    run("for n in range(3): usage.report(id=str(n), model='gpt-4o')", flaky.url)
    assert flaky.ids() == [["0", "1", "2"]]


def test_after_a_fork_each_process_sends_what_it_reported(flaky: Flaky) -> None:
    code = """
usage.report(id="before")
child = os.fork()
usage.report(id="child" if child == 0 else "parent")
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    run(code, flaky.url)
    assert sorted(flaky.ids()) == [["before", "parent"], ["child"]]


def test_an_address_without_a_scheme_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="no http address"):
        UsageClient("usage.example.com", "it-test")
