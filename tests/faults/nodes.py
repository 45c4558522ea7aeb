"""The servers of a Citus cluster that runs on this machine: killed, and started again as they had been started.

The cluster is the developer's. How it was made is nothing that tests know: what is started is the command that ran, as the
same account, in the same directory and environment.
"""

import contextlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg2

from usage_dashboard.machine.processes import wait_until

START_TIMEOUT_SECONDS: Final = 60
PID_SQL: Final = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::integer"


class Node:
    """One PostgreSQL server. `where` are psycopg2's parameters for it; its user may read the server's files."""

    def __init__(self, where: dict[str, Any], log: Path) -> None:
        self.where, self.log = {**where, "connect_timeout": 5}, log
        self.process = self._found()
        self.command, self.environment = self.process.cmdline(), self.process.environ()
        self.directory = self.process.cwd()
        self.run_as = {"user": self.process.uids().real, "group": self.process.gids().real}

    @property
    def pid(self) -> int:
        return int(self.process.pid)

    def is_alive(self) -> bool:
        return bool(self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE)

    def kill(self) -> None:
        """SIGKILL for the server and every process of its own, at once."""
        members = [*self.process.children(recursive=True), self.process]
        for process in reversed(members):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(members, timeout=10)

    @contextmanager
    def killed(self) -> Iterator[None]:
        """Dead within the block, and there again after it, whatever happens."""
        self.kill()
        try:
            yield
        finally:
            self.start()

    def start(self) -> None:
        """Returns when it answers. It lives on after the tests, as it did before them."""
        assert wait_until(self._answers, timeout_seconds=START_TIMEOUT_SECONDS, every_seconds=0.5), self.log.read_text()
        self.process = self._found()

    def stop(self) -> None:
        """It is not ours to stop."""

    def _answers(self) -> bool:
        """One that was killed cannot start while a process of its own is left."""
        if not self.is_alive():
            with self.log.open("ab") as log:
                subprocess.run(
                    ["setsid", "--fork", *self.command],
                    cwd=self.directory,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    extra_groups=[],
                    check=True,
                    **self.run_as,
                )
        try:
            self.process = self._found()
        except psycopg2.OperationalError:
            return False
        return True

    def _found(self) -> psutil.Process:
        with contextlib.closing(psycopg2.connect(**self.where)) as own, own.cursor() as cursor:
            cursor.execute(PID_SQL)
            (pid,) = cursor.fetchone()
        return psutil.Process(pid)
