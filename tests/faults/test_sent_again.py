"""The same events again: from many clients at once, in one body, and with other content."""

import json
import random

import pytest

from tests.faults.harness import Stack
from tests.faults.load import Client
from tests.faults.proof import Scenario

pytestmark = pytest.mark.faults
MOST_EVENTS = 10_000


def test_eight_clients_send_the_same_batches_at_once(stack: Stack, scenario: Scenario, num_events: int) -> None:
    num_events //= 2  # each is sent eight times
    scenario.load.num_wanted = num_events
    work = []
    for size in (50, 70, 110, 130, 170, 190, 230, 290):
        batches = [range(first, min(first + size, num_events)) for first in range(0, num_events, size)]
        work.append([random.sample(batch, len(batch)) for batch in random.sample(batches, len(batches))])
    with scenario.load.sending_batches(work):
        pass
    ledger = scenario.load.ledger
    assert not ledger.troubles
    assert ledger.accepted == num_events, "every event is new to one of the clients"
    assert ledger.duplicates == ledger.sent - num_events
    scenario.require_exactly_once()


def test_ten_thousand_identical_events_are_one_and_other_content_is_a_conflict(
    stack: Stack, scenario: Scenario
) -> None:
    load = scenario.load
    load.num_wanted = 1
    client = Client(stack.plan.port, scenario.secret, load.ledger)
    client.send(load.events.body([0] * MOST_EVENTS), [0] * MOST_EVENTS)
    assert (load.ledger.accepted, load.ledger.duplicates) == (1, MOST_EVENTS - 1)
    other = load.events.event(0).replace('"output_tokens":1', '"output_tokens":2')
    status, body = client.post(f"[{other},{load.events.event(0)}]".encode())
    client.web.close()
    assert status == 200
    assert [result.get("code", result["status"]) for result in json.loads(body)["results"]] == ["conflict", "duplicate"]
    scenario.require_exactly_once()
