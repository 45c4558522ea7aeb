"""The clock of web, worker or beat is an hour wrong: the database's clock decides what is late, and when it came."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from accounts.clock import database_now
from metering.rollups import freshness
from tests.faults.harness import PROGRAMS, Stack
from tests.faults.load import Client
from tests.faults.proof import Scenario

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("hours", [1, -1])
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_clock_of_one_program_is_an_hour_wrong(
    stack: Stack, scenario: Scenario, num_events: int, program: str, hours: int
) -> None:
    environment = {
        "FAULT_CLOCK_HOURS": str(hours),
        "PYTHONPATH": str(Path(__file__).parent / "wrong_clock"),
    }
    try:
        restart(stack, program, environment)
        with scenario.load.sending(num_events // 4):
            pass
        assert lateness(scenario) == ["accepted", "in_the_future", "accepted", "too_old"]
        stack.wait_until_rolled_up(timeout_seconds=15)
        assert abs((database_now() - freshness.complete_through()).total_seconds()) < 60
        assert json.loads(stack.get("/readyz")[1])["status"] == "ok"
        scenario.require_exactly_once()
    finally:
        restart(stack, program, {})


def restart(stack: Stack, program: str, environment: dict[str, str]) -> None:
    stack.kill(program)
    stack.start(program, environment=environment)


def lateness(scenario: Scenario) -> list[str]:
    """What becomes of events 4 minutes and 30 minutes ahead, and half an hour younger and older than 60 days."""
    now, days = database_now(), timedelta(days=60)
    offsets = [timedelta(minutes=4), timedelta(minutes=30), timedelta(minutes=30) - days, timedelta(minutes=-30) - days]
    load = scenario.load
    first = load.num_wanted
    events = []
    for number, offset in enumerate(offsets, start=first):
        event = json.loads(load.events.event(number))
        events.append({**event, "timestamp": (now + offset).isoformat()})
    client = Client(load.port, scenario.secret, load.ledger)
    status, body = client.post(json.dumps(events).encode())
    client.web.close()
    assert status == 200
    outcomes = [result.get("code", result["status"]) for result in json.loads(body)["results"]]
    load.ledger.sent += len(events)
    load.ledger.acknowledged |= {first + place for place, outcome in enumerate(outcomes) if outcome == "accepted"}
    load.num_wanted += len(events)
    return outcomes
