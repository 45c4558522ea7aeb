"""A thousand connections at once: bounded memory, and honest refusals."""

import asyncio
from collections import Counter

import pytest

from tests.faults.harness import HOST, Stack
from tests.faults.load import head
from tests.faults.proof import Scenario

pytestmark = pytest.mark.faults
NUM_CONNECTIONS = 1000
PADDING_BYTES = 100_000
MOST_GROWTH_MIB = 150
WAIT_SECONDS = 60


def test_a_thousand_connections_at_once(stack: Stack, scenario: Scenario, num_events: int) -> None:
    load = scenario.load
    size = max(1, num_events // NUM_CONNECTIONS)
    load.num_wanted = size * NUM_CONNECTIONS
    batches = [range(first, first + size) for first in range(0, load.num_wanted, size)]
    before = stack.memory_mib("web")
    answers, peak = asyncio.run(_all_at_once(stack, scenario, batches))
    assert peak - before < MOST_GROWTH_MIB, f"memory of web grew from {before:.0f} to {peak:.0f} MiB"
    missing = [batch for batch in batches if batch[0] not in load.ledger.acknowledged]
    assert set(answers) <= {"200", "503", "ConnectionResetError", "ConnectionRefusedError"}, answers
    assert answers["200"] >= NUM_CONNECTIONS // 10
    with load.sending_batches([missing]):
        pass
    scenario.require_exactly_once()


async def _all_at_once(stack: Stack, scenario: Scenario, batches: list[range]) -> tuple[Counter[str], float]:
    """Statuses (or errors) of one request per connection, all connected before the first is sent, and web's peak memory."""
    connected = asyncio.Event()
    tasks = [asyncio.create_task(_one(scenario, batch, connected)) for batch in batches]
    await asyncio.sleep(1)
    connected.set()
    peak = 0.0
    while not all(task.done() for task in tasks):
        peak = max(peak, await asyncio.to_thread(stack.memory_mib, "web"))
        await asyncio.sleep(0.05)
    return Counter(task.result() for task in tasks), peak


async def _one(scenario: Scenario, numbers: range, connected: asyncio.Event) -> str:
    """One connection, one request with a body that is padded with spaces; its status, or the name of what broke."""
    load = scenario.load
    body = load.events.body(numbers) + b" " * PADDING_BYTES
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            reader, writer = await asyncio.open_connection(HOST, load.port)
            try:
                await connected.wait()
                writer.write(head(scenario.secret, len(body)) + body)
                await writer.drain()
                top = await reader.readuntil(b"\r\n\r\n")
                answer = await reader.read(4096)
            finally:
                writer.close()
    except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
        load.ledger.note_trouble(numbers, error)
        return type(error).__name__
    status = int(top.split()[1])
    load.ledger.note(numbers, status, answer)
    return str(status)
