"""Default organization, tracking and revocation change while clients send: each event counts once, where the history says."""

import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from accounts.changes import routing_change
from accounts.models import DefaultOrganizationChange, User
from apikeys.keys import keys
from apikeys.models import APIKey
from apikeys.routing import Route
from tests.faults.harness import Stack
from tests.faults.load import Client, Ledger, event_hash
from tests.faults.proof import Scenario, drift_of_all_days
from tests.world import Role, join, make_organization

pytestmark = pytest.mark.faults
NUM_SWITCHES = 12
BATCH_SIZE = 20
AHEAD = timedelta(minutes=4)
HISTORY_SQL = """
SELECT effective_at, organization_id FROM accounts_defaultorganizationchange WHERE user_id = %s ORDER BY effective_at
"""
TRACKING_SQL = "SELECT effective_at, tracked FROM apikeys_trackingchange WHERE api_key_id = %s ORDER BY effective_at"
EVENTS_SQL = """
SELECT event_id::text, occurred_at, organization_id, routing, input_tokens
FROM metering_usageevent WHERE user_id = %s
"""


@dataclass
class Reporter:
    """A client that reports what happened a moment ago or, if `ahead`, will have; and reports some of it again later."""

    port: int
    secret: str
    name: str
    key_id: str | None
    ahead: timedelta
    stop: threading.Event
    acknowledged: list[dict[str, Any]] = field(default_factory=list)
    refused: dict[str, datetime] = field(default_factory=dict)
    """The earliest timestamp of the events that were refused, by the reason."""

    def run(self) -> None:
        client = Client(self.port, self.secret, Ledger())
        number, sent = 0, []
        while not self.stop.is_set():
            batch = [self._event(number + place) for place in range(BATCH_SIZE)]
            number += BATCH_SIZE
            sent.append(batch)
            again = sent[-7] if len(sent) > 7 else batch
            if not (self._send(client, batch) and self._send(client, again)):
                break
            time.sleep(0.005)
        client.web.close()

    def _event(self, number: int) -> dict[str, Any]:
        event = {
            "id": f"{self.name}-{number}",
            "timestamp": (database_clock() + self.ahead).isoformat(),
            "usage_type": "completions",
            "model": "gpt-4o",
            "input_tokens": 1 + number % 97,
            "output_tokens": 1,
        }
        return {**event, "api_key_id": self.key_id} if self.key_id else event

    def _send(self, client: Client, batch: Sequence[dict[str, Any]]) -> bool:
        """False when the sender may not send any more."""
        status, body = client.post(json.dumps(batch).encode())
        if status == 401:
            return False
        assert status == 200, body
        for event, result in zip(batch, json.loads(body)["results"], strict=True):
            if result["status"] in ("accepted", "duplicate"):
                self.acknowledged.append(event)
            else:
                at = datetime.fromisoformat(event["timestamp"])
                self.refused[result["code"]] = min(self.refused.get(result["code"], at), at)
        return True


def database_clock() -> datetime:
    """This machine's clock, which is the database's as well."""
    return datetime.now().astimezone()


def test_everything_about_a_key_changes_while_four_clients_send(stack: Stack, scenario: Scenario) -> None:
    user = User.objects.get(pk=scenario.user_id)
    first = user.default_organization
    assert first is not None
    second = make_organization(f"{first.name[-30:]} second")
    join(user, second, role=Role.READER)
    moved, own = APIKey.objects.filter(user=user).order_by("id")[:2]
    with routing_change() as now:
        own_secret = keys.rotate_api_key(api_key=own, overlap=timedelta(0), now=now)
    stop = threading.Event()
    reporters = [
        Reporter(stack.plan.port, scenario.secret, "now", moved.public_id, timedelta(0), stop),
        Reporter(stack.plan.port, scenario.secret, "late", moved.public_id, timedelta(seconds=-1), stop),
        Reporter(stack.plan.port, scenario.secret, "ahead", moved.public_id, AHEAD, stop),
        Reporter(stack.plan.port, own_secret, "own", None, timedelta(0), stop),
    ]
    with ThreadPoolExecutor(len(reporters)) as pool:
        running = [pool.submit(reporter.run) for reporter in reporters]
        try:
            for turn in range(NUM_SWITCHES):
                time.sleep(0.2)
                _switch(user, second.pk if turn % 2 == 0 else first.pk, moved, tracked=turn % 4 >= 2)
            with routing_change() as now:
                own.refresh_from_db()
                keys.revoke_api_key(api_key=own, now=now)
            with routing_change() as now:
                moved.refresh_from_db()
                keys.revoke_api_key(api_key=moved, now=now)
            time.sleep(0.3)
        finally:
            stop.set()
        for one in running:
            one.result()
    _require_where_history_says(scenario, stack, reporters, {"now": moved, "late": moved, "own": own})


def _switch(user: User, organization_id: int, api_key: APIKey, *, tracked: bool) -> None:
    """A new default organization and another state of tracking, each a change of its own."""
    with routing_change() as now:
        User.objects.filter(pk=user.pk).update(default_organization_id=organization_id)
        DefaultOrganizationChange.objects.create(user=user, organization_id=organization_id, effective_at=now)
    with routing_change() as now:
        api_key.refresh_from_db()
        keys.set_tracking(api_key=api_key, tracked=tracked, now=now)


def _require_where_history_says(
    scenario: Scenario, stack: Stack, reporters: list[Reporter], by_present: dict[str, APIKey]
) -> None:
    """`by_present` are the reporters (and their keys) whose events were of a time before they arrived."""
    stack.wait_until_rolled_up()
    stored = {event_id: rest for event_id, *rest in stack.rows(EVENTS_SQL, [scenario.user_id])}
    acknowledged = {
        str(event_hash(event["id"])): (reporter.name, event)
        for reporter in reporters
        for event in reporter.acknowledged
    }
    num_stored = stack.rows("SELECT count(*) FROM metering_usageevent WHERE user_id = %s", [scenario.user_id])[0][0]
    scenario.load.num_wanted = len(acknowledged)
    scenario.note_figures(
        acknowledged=len(acknowledged),
        lost=len(acknowledged.keys() - stored.keys()),
        doubled=num_stored - len(stored),
        drift=drift_of_all_days(),
    )
    assert stored.keys() == acknowledged.keys()
    assert num_stored == len(stored), "an event counts in two organizations"
    defaults = stack.rows(HISTORY_SQL, [scenario.user_id])
    tracking = {name: stack.rows(TRACKING_SQL, [key.pk]) for name, key in by_present.items()}
    for event_id, (occurred_at, organization_id, routing, input_tokens) in stored.items():
        name, event = acknowledged[event_id]
        assert input_tokens == event["input_tokens"]
        if name in by_present:
            tracked = Route.TRACKED if state_at(tracking[name], occurred_at) else 0
            expected = (state_at(defaults, occurred_at), Route.DEFAULT | tracked)
            assert (organization_id, routing) == expected, event
    assert drift_of_all_days() == 0
    assert len({row[1] for row in stored.values()}) == 2
    ended_at = APIKey.objects.get(pk=by_present["now"].pk).revoked_at
    assert ended_at is not None
    assert all(at >= ended_at for reporter in reporters[:2] for at in reporter.refused.values())
    assert {reason for reporter in reporters for reason in reporter.refused} <= {"key_ended"}


def state_at(changes: list[tuple[Any, ...]], at: datetime) -> Any:
    """The last state whose time has come; before the first one, that one."""
    return next((state for effective_at, state in reversed(changes) if effective_at <= at), changes[0][1])
