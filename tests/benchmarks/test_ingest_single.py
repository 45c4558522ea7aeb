"""The guard of single events: what was answered is stored; the time that clients take to start is no load."""

import pytest

from benchmarks.ingest.single import Answered, require_stored, said_by_wrk

REPORT = """Running 8s test @ http://127.0.0.1:8401/v1/usage/events
  2 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     5.60ms    2.10ms  41.00ms   80.00%
    Req/Sec     2.86k   310.00     3.50k    70.00%
  45572 requests in 8.01s, 9.10MB read
Requests/sec:   5689.39
Transfer/sec:      1.14MB
"""


def test_each_answered_request_must_have_stored_its_event() -> None:
    require_stored(Answered(1_000, 100.0), 1_000)
    with pytest.raises(RuntimeError, match="1000 requests were answered, but 999 events are stored"):
        require_stored(Answered(1_000, 100.0), 999)


def test_events_whose_answers_came_after_the_end_are_no_error() -> None:
    require_stored(Answered(1_000, 100.0), 1_032)


def test_a_slow_start_of_the_clients_is_no_lost_event() -> None:
    """Their rate is that of the seconds of load alone, however long the machine took to start them."""
    require_stored(Answered(number=5_000, per_second=5_000.0), num_stored=5_000)


def test_wrk_says_how_many_and_how_fast() -> None:
    assert said_by_wrk(REPORT) == Answered(45_572, 5_689.39)


@pytest.mark.parametrize("trouble", ["  Socket errors: connect 0, read 1\n", "  Non-2xx or 3xx responses: 7\n"])
def test_errors_that_wrk_met_are_errors(trouble: str) -> None:
    with pytest.raises(RuntimeError, match="wrk met errors"):
        said_by_wrk(REPORT.replace("Requests/sec", f"{trouble}Requests/sec"))


def test_a_report_that_is_none_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="wrk met errors"):
        said_by_wrk("unable to connect")
