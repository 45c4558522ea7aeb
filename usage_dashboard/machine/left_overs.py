"""PostgreSQL's processes that an earlier run left over a data directory.

When the server process is killed, a backend in the middle of a long statement does not notice. It has a session of its own,
so that killing the server's group misses it, and it holds the shared memory without which no new server starts.
"""

import contextlib
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psutil

from usage_dashboard.machine.embedded import cluster_name
from usage_dashboard.machine.processes import LaunchError

SERVER_TIMEOUT_SECONDS: Final = 15  # for each of the two ways to ask it
BACKEND_TIMEOUT_SECONDS: Final = 5
LOOK_EVERY_SECONDS: Final = 0.02


def end_left_overs(data_dir: Path) -> None:
    """End every PostgreSQL process over this data directory, and none over another one. Raises LaunchError if one stays."""
    servers = [process for process in left_overs(data_dir) if _is_server(process)]
    for stop_signal in (signal.SIGINT, signal.SIGQUIT):
        servers = _signalled(servers, stop_signal, SERVER_TIMEOUT_SECONDS)
    _require_none(servers)
    end_orphans(data_dir)


def end_orphans(data_dir: Path) -> None:
    """Kill what has no server any more: the next start recovers in any case. Raises LaunchError if one stays."""
    orphans = left_overs(data_dir)
    if not any(map(_is_server, orphans)):
        _require_none(_signalled(orphans, signal.SIGKILL, BACKEND_TIMEOUT_SECONDS))


def left_overs(data_dir: Path) -> list[psutil.Process]:
    """PostgreSQL's processes over this data directory.

    The server was started with the directory's path, and the others carry the cluster's name in their titles. Everybody may
    read those; in a container even root cannot see the directory that another account's process works in.
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if _belongs(process.cmdline(), data_dir) and is_alive(process):
                found.append(process)
    return found


def _belongs(command: Sequence[str], data_dir: Path) -> bool:
    is_backend = bool(command) and command[0].startswith(f"postgres: {cluster_name(data_dir)}: ")
    return is_backend or (_serves(command) and str(data_dir / "postgres") in command)


def _is_server(process: psutil.Process) -> bool:
    try:
        return _serves(process.cmdline())
    except psutil.Error:
        return False


def _serves(command: Sequence[str]) -> bool:
    return bool(command) and Path(command[0]).name == "postgres" and "-D" in command


def _require_none(left: Sequence[psutil.Process]) -> None:
    if left:
        raise LaunchError(f"An earlier PostgreSQL (process {left[0].pid}) does not stop. End it, then start again.")


def _signalled(
    processes: Sequence[psutil.Process], number: signal.Signals, timeout_seconds: float
) -> list[psutil.Process]:
    """Signal the processes and wait for their end; returns those that have not ended in time."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    deadline = time.monotonic() + timeout_seconds
    while (alive := [process for process in processes if is_alive(process)]) and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_SECONDS)
    return alive


def is_alive(process: psutil.Process) -> bool:
    """Whether it still does anything: one that has ended may wait for its parent to notice."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
