"""The servers of a benchmark: the product's own programs, started as the product starts them, on ports of their own."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
from django.conf import settings

from benchmarks.load.wait import until
from usage_dashboard.machine.launcher import Plan, programs
from usage_dashboard.machine.processes import Child, last_lines

HOST = "127.0.0.1"
WEB_PORT = 8401
EMPTY_PORT = 8402
EMPTY_SETTINGS = {"DJANGO_SETTINGS_MODULE": "benchmarks.ingest.settings"}
BARE_PORT = 8403
BARE_SETTINGS = {**EMPTY_SETTINGS, "BARE": "1"}


@contextmanager
def program(name: str, *, port: int = WEB_PORT, environment: Mapping[str, str] | None = None) -> Iterator[Child]:
    """One of the product's programs (`web`, `worker`, `beat`), with the product's own arguments."""
    plan = Plan(data_dir=Path(settings.DATA_DIR), port=port, host=HOST)
    child = Child(
        name=name,
        command=[sys.executable, *programs(plan)[name]],
        log=plan.data_dir / "log" / f"{name}-{port}.log",
        directory=settings.BASE_DIR,
        environment={**os.environ, "DATA_DIR": str(plan.data_dir), **(environment or {})},
    )
    child.start()
    try:
        if name == "web":
            _wait_for_web(child, port)
        yield child
    finally:
        child.stop()


def memory_mib(child: Child) -> float:
    """Resident memory of a program and all its processes, shared pages counted in each."""
    process = psutil.Process(child.pid)
    members = [process, *process.children(recursive=True)]
    return float(sum(member.memory_info().rss for member in members)) / 2**20


def cpu_seconds(child: Child) -> float:
    """Processor time that a program and its processes have used so far."""
    process = psutil.Process(child.pid)
    times = [member.cpu_times() for member in [process, *process.children(recursive=True)]]
    return float(sum(time.user + time.system for time in times))


def _wait_for_web(child: Child, port: int) -> None:
    if not until(lambda: _listens(child, port), timeout_seconds=60):
        raise RuntimeError(f"web does not answer on port {port}:\n{last_lines(child.log)}")


def _listens(child: Child, port: int) -> bool:
    listening = {
        connection.laddr.port
        for connection in psutil.net_connections("tcp4")
        if connection.status == psutil.CONN_LISTEN
    }
    return child.is_alive() and port in listening
