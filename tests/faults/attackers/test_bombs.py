"""Bodies that are small on the way and huge when they are unpacked, from a sender with a secret of its own."""

import gzip
import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import pytest
from backports import zstd

from tests.faults.attackers.beside import rate_of_events, require_batches_go_on
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
MOST_GROWTH_MIB: Final = 150


def test_six_bombs_at_once_slow_down_nobody_and_take_little_memory(stack: Stack, scenario: Scenario) -> None:
    rate_of_events(scenario)
    before, sizes = stack.memory_mib("web"), []

    @contextmanager
    def bombs() -> Iterator[None]:
        with ThreadPoolExecutor(len(BOMBS)) as attackers:
            answers = [attackers.submit(send, stack, scenario.secret, *bomb) for bomb in BOMBS]
            yield
            sizes.append(stack.memory_mib("web"))
            assert {answer.result() for answer in answers} <= {200, 400, 413, 503}

    require_batches_go_on(scenario, bombs, name="bombs")
    assert max(sizes) - before < MOST_GROWTH_MIB, f"memory of web grew from {before:.0f} to {max(sizes):.0f} MiB"
    scenario.require_exactly_once()


def send(stack: Stack, secret: str, encoding: str, bomb: bytes) -> int:
    web = http.client.HTTPConnection(HOST, stack.plan.port, timeout=30)
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json", "Content-Encoding": encoding}
    web.request("POST", PATH, bomb, headers)
    response = web.getresponse()
    response.read()
    web.close()
    return response.status
