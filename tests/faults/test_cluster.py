"""On a Citus cluster: its servers die by SIGKILL, and shards move, while events come in and are rolled up."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest
from psycopg2 import errors

from accounts.models import User
from metering.cluster.state import EVENTS
from tests.faults.conftest import make_scenario
from tests.faults.harness import Stack
from tests.faults.proof import Scenario
from tests.machines.cluster import CITUS_URL
from usage_dashboard.machine.processes import wait_until

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(
        not CITUS_URL, reason="There is no CITUS_URL, the address of a database on a cluster's coordinator."
    ),
]
SECONDS: Final = 15.0
AWAY_SECONDS: Final = 2.0
MOST_CUSTOMERS: Final = 40
SHARD_SQL: Final = """
SELECT shard.shardid, node.nodename, node.nodeport
FROM pg_dist_placement AS placement JOIN pg_dist_shard AS shard USING (shardid) JOIN pg_dist_node AS node USING (groupid)
WHERE shard.shardid = get_shard_id_for_distribution_column(%s::regclass, %s::bigint)
"""
OTHER_SQL: Final = (
    "SELECT nodename, nodeport FROM pg_dist_node WHERE groupid <> 0 AND (nodename, nodeport) <> (%s, %s) LIMIT 1"
)
MOVE_SQL: Final = "SELECT citus_move_shard_placement(%s, %s, %s, %s, %s, shard_transfer_mode := 'force_logical')"


@dataclass(frozen=True)
class Customers:
    """Senders of which each worker node has at least one."""

    stack: Stack
    scenarios: list[Scenario]

    @contextmanager
    def sending(self, num_events: int) -> Iterator[None]:
        """All of them send, for some seconds at least."""
        with ExitStack() as sending:
            for scenario in self.scenarios:
                sending.enter_context(
                    scenario.load.sending(num_events // len(self.scenarios), clients=2, at_least_seconds=SECONDS)
                )
            yield

    def wait_for(self, fraction: float) -> None:
        for scenario in self.scenarios:
            scenario.load.wait_for(fraction)

    def are_on(self) -> bool:
        return any(scenario.load.is_on() for scenario in self.scenarios)

    def require_exactly_once(self) -> None:
        for scenario in self.scenarios:
            scenario.require_exactly_once()

    def shard_of(self, scenario: Scenario) -> tuple[Any, ...]:
        """(shard, host, port) of the raw events of a sender's organization."""
        return shard_of(self.stack, scenario)


@pytest.fixture
def customers(stack: Stack, request: pytest.FixtureRequest) -> Customers:
    found: dict[tuple[Any, ...], Scenario] = {}
    for number in range(MOST_CUSTOMERS):
        scenario = make_scenario(stack, f"{request.node.name}-{number}", request.node.user_properties)
        found.setdefault(shard_of(stack, scenario)[1:], scenario)
        if len(found) == len(stack.nodes) - 1:
            break
    assert len(found) == len(stack.nodes) - 1 > 0
    return Customers(stack, list(found.values()))


@pytest.mark.parametrize("which", ["a worker node", "another worker node", "the coordinator"])
def test_a_server_is_killed_while_events_are_stored_and_rolled_up(
    stack: Stack, customers: Customers, num_events: int, which: str
) -> None:
    node = stack.nodes[{"a worker node": 1, "another worker node": -1, "the coordinator": 0}[which]]
    stack.pause("worker")
    with customers.sending(num_events):
        customers.wait_for(0.1)
        stack.resume("worker")
        stack.wait_for_a_rollup()
        with node.killed():
            assert customers.are_on()
            time.sleep(AWAY_SECONDS)
    assert any(scenario.load.ledger.troubles for scenario in customers.scenarios), "no request was under way"
    customers.require_exactly_once()


def test_a_shard_is_moved_there_and_back_while_events_are_stored_and_rolled_up(
    stack: Stack, customers: Customers, num_events: int
) -> None:
    moved = customers.scenarios[0]
    shard, *home = customers.shard_of(moved)
    (away,) = stack.rows(OTHER_SQL, home)
    num_moves = 0
    with customers.sending(num_events):
        customers.wait_for(0.1)
        for origin, destination in ((home, away), (away, home)):
            assert customers.are_on()
            move(stack, [shard, *origin, *destination])
            num_moves += 1
            assert customers.shard_of(moved)[1:] == tuple(destination)
    assert num_moves == 2
    customers.require_exactly_once()


def shard_of(stack: Stack, scenario: Scenario) -> tuple[Any, ...]:
    organization_id = User.objects.values_list("default_organization_id", flat=True).get(pk=scenario.user_id)
    return stack.rows(SHARD_SQL, [EVENTS, organization_id])[0]


def move(stack: Stack, parameters: list[Any]) -> None:
    """Again while the partition of a day is made, which a move does not wait for."""

    def is_moved() -> bool:
        try:
            stack.do(MOVE_SQL, parameters)
        except errors.InternalError_ as error:
            if "could not acquire the lock" not in str(error):
                raise
            return False
        return True

    assert wait_until(is_moved, timeout_seconds=30, every_seconds=0.5)
