"""One launcher for one DATA_DIR, and what a launcher that was killed left behind."""

import contextlib
import fcntl
import json
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NotRequired, TypedDict

import psutil

from usage_dashboard.machine.processes import Child, LaunchError

CLOCK_TOLERANCE_SECONDS = (
    3.0  # a process's start time is computed from the boot time, which moves when the clock is set
)
STOP_TIMEOUT_SECONDS = 8.0


class Entry(TypedDict):
    """One started process: enough to know it again."""

    pid: int
    started_at: float
    stop_signal: int
    name: NotRequired[str]


@contextmanager
def only_launcher(data_dir: Path, address: str) -> Iterator[None]:
    """Hold `data_dir` alone. Raises LaunchError, with the other one's address, if a launcher is running over it."""
    with (data_dir / "launcher.lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise LaunchError(
                f"It is running already, at {lock.read().strip()}, with the data in {data_dir}. "
                "Use that one, or choose another DATA_DIR and PORT for a second one."
            ) from None
        lock.truncate(0)
        lock.write(f"{address}\n")
        lock.flush()
        yield


def record(data_dir: Path, children: Iterable[Child]) -> None:
    """Write down which processes run now, for the next start to find them should this launcher be killed."""
    entries = []
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            started_at = psutil.Process(child.pid).create_time()
            entries.append(
                Entry(name=child.name, pid=child.pid, started_at=started_at, stop_signal=child.stop_signals[0])
            )
    unfinished = data_dir / "processes.json.unfinished"
    unfinished.write_text(json.dumps(entries, indent=1), encoding="ascii")
    unfinished.replace(data_dir / "processes.json")


def stop_orphans(data_dir: Path) -> int:
    """Stop the processes of an earlier launcher that was killed; returns how many there were."""
    orphans = _orphans(data_dir)
    for process, stop_signal in orphans.items():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(stop_signal)
    _, alive = psutil.wait_procs(list(orphans), timeout=STOP_TIMEOUT_SECONDS)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=STOP_TIMEOUT_SECONDS)
    return len(orphans)


def _orphans(data_dir: Path) -> dict[psutil.Process, int]:
    entries = _read(data_dir)
    found = {leader: entry["stop_signal"] for entry in entries for leader in _leaders(entry)}
    groups = {entry["pid"]: entry for entry in entries}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            entry = groups.get(os.getpgid(process.pid))
            if entry and process not in found and _started_by(process, entry, data_dir):
                found[process] = signal.SIGTERM
    return found


def _read(data_dir: Path) -> list[Entry]:
    try:
        entries: list[Entry] = json.loads((data_dir / "processes.json").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return []
    return entries


def _leaders(entry: Entry) -> list[psutil.Process]:
    """The recorded process itself if it still runs: the same start time tells it from a later one with its number."""
    try:
        process = psutil.Process(entry["pid"])
        same = abs(process.create_time() - entry["started_at"]) < CLOCK_TOLERANCE_SECONDS
        return [process] if same and process.status() != psutil.STATUS_ZOMBIE else []
    except psutil.NoSuchProcess:
        return []


def _started_by(process: psutil.Process, entry: Entry, data_dir: Path) -> bool:
    """Whether a process in the recorded one's group is its child: younger, and marked with this DATA_DIR."""
    is_younger = process.create_time() > entry["started_at"] - CLOCK_TOLERANCE_SECONDS
    return bool(is_younger and process.environ().get("DATA_DIR") == str(data_dir))
