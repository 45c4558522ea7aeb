"""Everything for one machine from one command: servers, schema, static files, web, workers and beat, until Ctrl-C."""

import errno
import http.client
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import OperationalError, connection, connections

from accounts.installation.notices import notices
from usage_dashboard.machine import embedded, interrupts, servers
from usage_dashboard.machine.orphans import only_launcher, stop_orphans
from usage_dashboard.machine.preparation import collect_static, migrate
from usage_dashboard.machine.processes import Child, LaunchError, last_lines, wait_until
from usage_dashboard.machine.server_account import private_data_directory
from usage_dashboard.machine.supervision import Supervisor, Write

WEB_TIMEOUT_SECONDS = 60
CELERY = ("-m", "celery", "--app", "usage_dashboard")
WORKER = (
    *(*CELERY, "worker", "--pool", "threads", "--loglevel", "WARNING"),
    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
)


@dataclass(frozen=True)
class Plan:
    """What to run and where. `fill` is called once the schema is there, before web starts; `command` is what people typed."""

    data_dir: Path
    port: int
    demo: bool = False
    command: str = "make run"
    fill: Callable[[], object] | None = None
    host: str = field(default_factory=lambda: str(settings.WEB_HOST))

    @property
    def address(self) -> str:
        return f"http://{'localhost' if self.host == '127.0.0.1' else self.host}:{self.port}"


def launch(plan: Plan, *, write: Write, greeting: Callable[[], str]) -> None:
    """Run the whole product until someone asks to stop; then nothing of it is left. Raises LaunchError."""
    with (
        interrupts.noted(),
        _sentences(plan.data_dir),
        only_launcher(_made(plan.data_dir), plan.address),
        _supervisor(plan, write) as supervisor,
    ):
        if stop_orphans(plan.data_dir):
            write("An earlier run was killed: stopped what it had left behind.")
        private_data_directory(plan.data_dir, None)
        _require_free_port(plan)
        _start_servers(supervisor, plan)
        with interrupts.at_once():
            _prepare(plan, write)
        _start_programs(supervisor, plan)
        for notice in [] if plan.demo else notices():
            write(notice)
        with interrupts.at_once():
            write(greeting())
            connections.close_all()
        supervisor.watch()


@contextmanager
def _supervisor(plan: Plan, write: Write) -> Iterator[Supervisor]:
    """Stops everything at the end, and takes a request to stop for a good end."""
    supervisor = Supervisor(plan.data_dir, write)
    try:
        yield supervisor
    except interrupts.Interrupted:
        write("Stopping …")
    finally:
        supervisor.stop()


@contextmanager
def _sentences(data_dir: Path) -> Iterator[None]:
    """Turns a full disk, a directory of somebody else's or a database that cannot be used into a sentence."""
    try:
        yield
    except OperationalError as error:
        raise LaunchError(f"PostgreSQL at {connection.settings_dict['HOST']} cannot be used: {error}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR):
            raise LaunchError(embedded.unusable(data_dir, error)) from error
        raise


def _made(data_dir: Path) -> Path:
    os.umask(0o077)  # for all files that this launcher writes from now on
    (data_dir / "log").mkdir(parents=True, exist_ok=True)
    return data_dir


def _require_free_port(plan: Plan) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((plan.host, plan.port))
        except OSError as error:
            raise LaunchError(
                f"Port {plan.port} cannot be used ({error.strerror}). "
                f"Choose another one with the environment variable PORT, for example: PORT={plan.port + 1} {plan.command}"
            ) from error


def _start_servers(supervisor: Supervisor, plan: Plan) -> None:
    if not settings.DATABASE_URL:
        supervisor.start("postgres", partial(servers.start_postgres, plan.data_dir), is_server=True)
    if embedded.redis_url(plan.data_dir) == settings.REDIS_URL:
        supervisor.start("redis", partial(servers.start_redis, plan.data_dir), is_server=True)


def _prepare(plan: Plan, write: Write) -> None:
    if migrate():
        write("The database schema is up to date.")
    if collect_static():
        write("The static files are collected.")
    if plan.fill is not None:
        plan.fill()
    connections.close_all()


def _start_programs(supervisor: Supervisor, plan: Plan) -> None:
    """Web first and alone, so that it answers soon; nothing is late for the others."""
    for name, arguments in programs(plan).items():
        supervisor.start(name, partial(_started, plan, name, arguments))
        if name == "web":
            _wait_for_web(plan)


def programs(plan: Plan) -> dict[str, list[str]]:
    """The programs beside the servers, by name, in the order in which they start: arguments for Python."""
    return {
        "web": [
            *("-m", "granian", "--interface", "asginl", "usage_dashboard.asgi:application", "--no-ws"),
            *("--host", plan.host, "--port", str(plan.port), "--log-level", "warning"),
            *("--workers", str(settings.WEB_WORKERS)),
            *("--http1-buffer-size", "65536"),
            *("--backlog", str(settings.WEB_CONNECTIONS), "--backpressure", str(settings.WEB_CONNECTIONS)),
            *("--respawn-failed-workers", "--workers-kill-timeout", "2"),
        ],
        "worker": [*WORKER, "--concurrency", "4", "--queues", "celery"],
        "deliveries": [*WORKER, "--concurrency", "8", "--queues", "deliveries", "--hostname", "deliveries@%h"],
        "beat": [*CELERY, "beat", "--loglevel", "WARNING", "--pidfile="],
    }


def _started(plan: Plan, name: str, arguments: list[str]) -> Child:
    child = Child(
        name=name,
        command=[sys.executable, *arguments],
        log=plan.data_dir / "log" / f"{name}.log",
        directory=settings.BASE_DIR,
        environment={**os.environ, "DATA_DIR": str(plan.data_dir), "DEMO": "1" if plan.demo else "0"},
    )
    child.start()
    return child


def _wait_for_web(plan: Plan) -> None:
    if not wait_until(lambda: _web_answers(plan), timeout_seconds=WEB_TIMEOUT_SECONDS, every_seconds=0.05):
        log = plan.data_dir / "log" / "web.log"
        raise LaunchError(f"web does not answer at {plan.address}. The end of {log}:\n{last_lines(log)}")


def _web_answers(plan: Plan) -> bool:
    """Any answer but an error of the server will do: which hosts and schemes are allowed is the operator's choice."""
    web = http.client.HTTPConnection(plan.host, plan.port, timeout=5)
    try:
        web.request("GET", "/healthz")
        return web.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        web.close()
