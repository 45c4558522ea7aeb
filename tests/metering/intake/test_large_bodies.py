"""`POST /v1/usage/events`: what is small on the way and huge once it is read costs little more than honest events do."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final

import pytest

from metering.intake.formats import native
from metering.intake.formats.events import UnreadableError
from metering.intake.formats.items import MAX_EVENTS

NUM: Final = 5_200_000
LARGEST: Final = 10 * 1024 * 1024
MOST_TIMES_HONEST: Final = 4.0
MOST_TIMES_MEMORY: Final = 6
BOMBS: Final = {
    "backslashes": b'["' + b"\\" * NUM + b'"]',
    "backslashes and half a character": b'["' + b"\\" * NUM + b'\\ud800"]',
    "half characters": b'["' + b"\\ud800" * (LARGEST // 6 - 1) + b'"]',
    "zeros": b"[" + b"0," * (NUM - 1) + b"0]",
    "objects": b"[" + b"{}," * (LARGEST // 3 - 1) + b"{}]",
    "lines": b"{}" + b"\n" * NUM + b"{}",
    "lines with something": b"0\n" * NUM,
    "names": b'[{"' + b"x" * NUM + b'":1}]',
    "brackets": b"[" * NUM,
    "one number": b'[{"id":"a","timestamp":1' + b"0" * NUM + b"}]",
}


def honest(size: int = LARGEST) -> bytes:
    """A body of that size, with as many events as it may have."""
    fields = {"id": "e" * 30, "timestamp": "2026-11-22T12:03:05.250Z", "usage_type": "completions", "model": "gpt-4o"}
    event = json.dumps({**fields, "api_key_id": "key_" + "k" * 20, "input_tokens": 100, "output_tokens": 20})
    padding = " " * (size // MAX_EVENTS - len(event) - 2)
    return b"[" + ",".join([event + padding] * MAX_EVENTS).encode() + b"]"


def seconds_of(work: Callable[[], object]) -> float:
    """Of the processor, the least of three times."""
    times = []
    for _ in range(3):
        began_at = time.process_time()
        work()
        times.append(time.process_time() - began_at)
    return min(times)


def decode(body: bytes) -> None:
    for lines in (False, True):
        with contextlib.suppress(UnreadableError):
            native.decode(body, lines=lines)


@pytest.mark.parametrize("name", BOMBS)
def test_reading_it_takes_little_longer_than_honest_events_of_the_same_size(name: str) -> None:
    limit = seconds_of(lambda: decode(honest()))
    taken = seconds_of(lambda: decode(BOMBS[name]))
    assert taken <= limit * MOST_TIMES_HONEST, f"{taken / limit:.1f} times as long"


@pytest.mark.parametrize("name", ["backslashes", "zeros", "lines", "half characters", "objects"])
def test_reading_it_takes_little_memory(name: str) -> None:
    before = peak_mib("b''")
    grown = peak_mib(f"tests.metering.intake.test_large_bodies.BOMBS[{name!r}]") - before
    assert grown <= MOST_TIMES_MEMORY * LARGEST / 2**20, f"{grown:.0f} MiB more"


def peak_mib(body: str) -> float:
    program = (
        "import os, resource, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'usage_dashboard.settings'; django.setup()\n"
        f"import tests.metering.intake.test_large_bodies; tests.metering.intake.test_large_bodies.decode({body})\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1]) / 2**10
