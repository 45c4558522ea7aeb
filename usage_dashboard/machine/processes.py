"""Child processes of a launcher: each in a session of its own, logged to a file, stopped with all that it started."""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from usage_dashboard.machine import interrupts

LARGEST_LOG_BYTES = 10_000_000
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class LaunchError(Exception):
    """What is wrong and what to do about it, for the person at the terminal."""


@dataclass(frozen=True)
class Account:
    """The operating system's account that a process runs as."""

    name: str
    user_id: int
    group_id: int


@dataclass
class Child:
    """A process and how to start and stop it.

    `stop_signals` are tried in turn before the whole group is killed; `after_stop` ends what has left the group.
    """

    name: str
    command: list[str]
    log: Path
    directory: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGTERM,)
    stop_timeout_seconds: float = 3.0
    after_stop: Callable[[], object] = lambda: None
    account: Account | None = None
    process: subprocess.Popen[bytes] | None = None
    was_asked_to_stop: bool = False

    def start(self) -> None:
        """Start the process; Ctrl-C does not reach it, and on Linux it is told to stop when its parent dies."""
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        turn_over(self.log)
        self.was_asked_to_stop = False
        with _private(self.log).open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 – own commands
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env=self.environment,
                start_new_session=True,
                user=self.account.user_id if self.account else None,
                group=self.account.group_id if self.account else None,
                extra_groups=[self.account.group_id] if self.account else None,
                preexec_fn=stopped_with_parent(self.stop_signals[0]),  # noqa: PLW1509 – started by the one thread there is
            )

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} was not started"
        return self.process.pid

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ask_to_stop(self) -> None:
        """Send the first of the stop signals, once, and do not wait."""
        if self.process is not None and not self.was_asked_to_stop:
            self.was_asked_to_stop = True
            self.process.send_signal(self.stop_signals[0])

    def stop(self) -> None:
        """End the process and its group; returns when nothing of it is left. Harmless if it has ended already."""
        if self.process is None:
            return
        self.ask_to_stop()
        for stop_signal in self.stop_signals[1:]:
            if self._ended():
                break
            self.process.send_signal(stop_signal)
        self._ended()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.after_stop()

    def _ended(self) -> bool:
        assert self.process is not None
        try:
            self.process.wait(self.stop_timeout_seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


def stopped_with_parent(stop_signal: signal.Signals) -> Callable[[], None] | None:
    """What a child runs before its program so that Linux signals it when its parent dies; None on other systems."""
    if _libc is None:
        return None
    libc, parent = _libc, os.getpid()

    def ask_for_signal() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask_for_signal


def turn_over(log: Path) -> None:
    """Move a log that has grown large to `<name>.1`, in place of the one before; its writer goes on at the start."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LARGEST_LOG_BYTES:
            shutil.copyfile(log, _private(log.with_name(f"{log.name}.1")))
            os.truncate(log, 0)


def _private(path: Path) -> Path:
    """The file, made if there is none, and nobody's but the owner's to read."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    return path


def last_lines(log: Path, count: int = 15) -> str:
    """The end of a log, indented, for a message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 20_000))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        lines = []
    return "\n".join(f"    {line}" for line in lines[-count:])


def wait_until(condition: Callable[[], bool], *, timeout_seconds: float, every_seconds: float = 0.02) -> bool:
    """Whether `condition` became true in time. Raises Interrupted when someone asks to stop."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        interrupts.check()
        if time.monotonic() > deadline:
            return False
        time.sleep(every_seconds)
    return True
