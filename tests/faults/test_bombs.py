"""Bodies that are small on the way and huge when they are unpacked, from a sender with a secret of its own."""

import gzip
import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest
from backports import zstd

from tests.faults.harness import HOST, Stack
from tests.faults.load import PATH
from tests.faults.proof import Scenario

pytestmark = [pytest.mark.faults, pytest.mark.alone]
NUM: Final = 5_200_000
BODIES: Final = (b'["' + b"\\" * NUM + b'\\ud800"]', b"[" + b"0," * (NUM - 1) + b"0]", b"{}" + b"\n" * NUM + b"{}")
BOMBS: Final = [
    *(("gzip", gzip.compress(body)) for body in BODIES),
    *(("zstd", zstd.compress(body, 19)) for body in (BODIES[0], BODIES[1], bytes(1 << 30))),
]
NUM_MEASURED: Final = 4_000
NUM_MEASUREMENTS: Final = 3
MOST_TIMES_SLOWER: Final = 1.5
MOST_GROWTH_MIB: Final = 150


def test_six_bombs_at_once_slow_down_nobody_and_take_little_memory(stack: Stack, scenario: Scenario) -> None:
    rate_of_events(scenario)
    undisturbed = max(rate_of_events(scenario) for _ in range(NUM_MEASUREMENTS))
    before = peak = stack.memory_mib("web")
    disturbed = []
    with ThreadPoolExecutor(6) as attackers:
        for _ in range(NUM_MEASUREMENTS):
            answers = [attackers.submit(send, stack, scenario.secret, *BOMBS[place]) for place in range(6)]
            disturbed.append(rate_of_events(scenario))
            peak = max(peak, stack.memory_mib("web"))
            assert {answer.result() for answer in answers} <= {200, 400, 413, 503}
    assert max(disturbed) * MOST_TIMES_SLOWER >= undisturbed, f"{undisturbed:.0f}/s alone, {disturbed} beside bombs"
    assert peak - before < MOST_GROWTH_MIB, f"memory of web grew from {before:.0f} to {peak:.0f} MiB"
    scenario.require_exactly_once()


def rate_of_events(scenario: Scenario) -> float:
    began_at = time.monotonic()
    with scenario.load.sending(NUM_MEASURED, batch_size=10):
        pass
    return NUM_MEASURED / (time.monotonic() - began_at)


def send(stack: Stack, secret: str, encoding: str, bomb: bytes) -> int:
    web = http.client.HTTPConnection(HOST, stack.plan.port, timeout=30)
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json", "Content-Encoding": encoding}
    web.request("POST", PATH, bomb, headers)
    response = web.getresponse()
    response.read()
    web.close()
    return response.status
