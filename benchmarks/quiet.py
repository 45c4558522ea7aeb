"""Was the machine quiet? How much of its processors others used while a figure was measured, and another attempt if it was much.

Others are all processes but this one and what it has started; also other machines on the same hardware, as far as the kernel
knows of them (steal).
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

import psutil

T = TypeVar("T")
STAT: Final = Path("/proc/stat")
BUSY_FIELDS: Final = (0, 1, 2, 5, 6, 7)
"""Of the first line of /proc/stat: user, nice, system, irq, softirq, steal. Guests are in user; waiting is no work."""
QUIET_SHARE: Final = 0.1
"""Of all processors together: what more than that took from a figure may be seen in it."""
MOST_ATTEMPTS: Final = 3
MOST_SECONDS: Final = 300.0
"""No attempt begins so long after the first."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Processor time so far, of all and of this process with what it has started, in seconds."""

    at: float
    of_all: float
    own: float


@dataclass(frozen=True, slots=True)
class Quietness:
    """What share of the processors others used, during the quietest of so many attempts. None: this machine does not say."""

    others_share: float | None
    attempts: int

    @property
    def is_quiet(self) -> bool | None:
        return None if self.others_share is None else self.others_share <= QUIET_SHARE

    def __str__(self) -> str:
        if self.others_share is None:
            return "not known"
        return f"{self.others_share:.0%}" + ("" if self.is_quiet else " busy")


NOT_ASKED: Final = Quietness(None, 1)


@dataclass(frozen=True, slots=True)
class Attempt(Generic[T]):
    """What was measured, and how quiet it was meanwhile."""

    result: T
    quietness: Quietness


def quietly(
    measure: Callable[[], T], *, look: Callable[[], Moment | None] | None = None, attempts: int = MOST_ATTEMPTS
) -> Attempt[T]:
    """The quietest of a few attempts to measure: the first one that was quiet, if one was."""
    look = look or now
    started = time.monotonic()
    found: list[tuple[float, T]] = []
    while True:
        before = look()
        result = measure()
        after = look()
        if before is None or after is None:
            return Attempt(result, Quietness(None, 1))
        found.append((others_share(before, after), result))
        is_quiet = found[-1][0] <= QUIET_SHARE
        if is_quiet or len(found) == attempts or time.monotonic() - started > MOST_SECONDS:
            share, quietest = min(found, key=lambda each: each[0])
            return Attempt(quietest, Quietness(share, len(found)))


def now() -> Moment | None:
    """None where there is no /proc/stat."""
    try:
        stat = STAT.read_text(encoding="ascii")
    except OSError:
        return None
    return Moment(time.monotonic(), busy_seconds(stat, os.sysconf("SC_CLK_TCK")), own_seconds())


def busy_seconds(stat: str, ticks_per_second: int) -> float:
    """Processor time of all since the start of the machine, by the text of /proc/stat."""
    fields = [int(field) for field in stat.splitlines()[0].split()[1:]]
    return sum(fields[place] for place in BUSY_FIELDS if place < len(fields)) / ticks_per_second


def own_seconds() -> float:
    """Processor time of this process and all that it started, also of those that have ended and were waited for."""
    own = psutil.Process()
    total = 0.0
    for process in (own, *own.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def others_share(before: Moment, after: Moment, *, num_cpus: int | None = None) -> float:
    """What others used of all processors between two moments."""
    others = (after.of_all - before.of_all) - (after.own - before.own)
    return max(0.0, others) / ((after.at - before.at) * (num_cpus or os.cpu_count() or 1))
