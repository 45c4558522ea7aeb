"""The whole product over a temporary DATA_DIR, with its parts killed and started one by one."""

import contextlib
import http.client
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psutil
import psycopg2
from celery import Celery
from django.conf import settings
from django.db import connection

from metering.rollups.run import IS_ROLLING_UP
from tests.faults.nodes import Node
from tests.machines import cluster
from usage_dashboard import given_addresses
from usage_dashboard.machine import embedded, preparation, servers
from usage_dashboard.machine.launcher import Plan, programs
from usage_dashboard.machine.processes import Child, wait_until

HOST: Final = "127.0.0.1"
START_TIMEOUT_SECONDS: Final = 60
PROGRAMS: Final = ("web", "worker", "beat")
ROLLING_UP_SQL: Final = f"SELECT 1 WHERE {IS_ROLLING_UP}"


class Stack:
    """PostgreSQL, Valkey, web, worker and beat. To be started, killed and stopped from the main thread."""

    def __init__(self, data_dir: Path) -> None:
        self.plan = Plan(data_dir=data_dir, port=_free_port(), host=HOST)
        self.children: dict[str, Child | Node] = {}
        self.nodes: list[Node] = []
        """With CITUS_URL: the coordinator, which is in the place of PostgreSQL, and the workers."""

    def start_servers(self) -> None:
        """PostgreSQL with the schema in it, and Valkey."""
        (self.plan.data_dir / "staticfiles").mkdir()
        self.start("postgres")
        self.start("redis")
        with self.as_default_database():
            preparation.migrate()
            if self.nodes:
                cluster.distribute()

    def start_what_is_missing(self) -> None:
        for name in ("postgres", "redis", *PROGRAMS):
            if name not in self.children or not self.children[name].is_alive():
                self.start(name)

    def start(self, name: str, *, environment: Mapping[str, str] | None = None, alias: str | None = None) -> None:
        """Start a part; returns when it answers, if it is one that does. `alias` names a second one of its kind."""
        if name == "postgres":
            self.children[name] = self._start_postgres()
        elif name == "redis":
            self.children[name] = servers.start_redis(self.plan.data_dir)
        else:
            self._start_program(name, alias or name, environment or {})

    def stop(self, *names: str) -> None:
        """Ask parts to stop, and wait until they have."""
        for name in names:
            self.children.pop(name).stop()

    def stop_all(self) -> None:
        """Everything, programs before servers. Raises if anything is left that carries this DATA_DIR."""
        for name in sorted(self.children, key=lambda name: name in ("postgres", "redis")):
            self.stop(name)
        if self.nodes:
            with self.as_default_database():
                cluster.take_down(cluster.nodes_of_cluster())
            cluster.execute_on_coordinator(f"DROP DATABASE IF EXISTS {self.database['NAME']} WITH (FORCE)")
        left = self._left()
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        assert not left, left

    def kill(self, name: str) -> None:
        """SIGKILL for a part and everything it has started, at once."""
        child = self.children.pop(name)
        if isinstance(child, Node):
            child.kill()
            return
        members = [*self._started_by(child), psutil.Process(child.pid)]
        for process in reversed(members):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        child.stop()
        psutil.wait_procs(members[:-1], timeout=10)

    def kill_first_process(self, name: str) -> None:
        """SIGKILL for the process that the launcher started, and for no other; what that one has started may live on."""
        child = self.children.pop(name)
        psutil.Process(child.pid).kill()
        assert child.process is not None
        child.process.wait(10)

    def kill_one_of(self, name: str) -> None:
        """SIGKILL for one of the processes that a part has started itself, the one that was started first."""
        self._started_by(self.children[name])[0].kill()

    def pause(self, name: str) -> None:
        """Hold a part where it is."""
        psutil.Process(self.children[name].pid).suspend()

    def resume(self, name: str) -> None:
        psutil.Process(self.children[name].pid).resume()

    def num_processes(self, name: str) -> int:
        return 1 + len(self._started_by(self.children[name]))

    def memory_mib(self, name: str) -> float:
        """Memory of a part's processes that is not shared with others."""
        members = [psutil.Process(self.children[name].pid), *self._started_by(self.children[name])]
        return float(sum(process.memory_full_info().uss for process in members)) / 2**20

    def num_threads(self, name: str) -> int:
        members = [psutil.Process(self.children[name].pid), *self._started_by(self.children[name])]
        return sum(process.num_threads() for process in members)

    def num_connections(self, name: str) -> int:
        """Connections from clients that a part's processes have open."""
        members = [psutil.Process(self.children[name].pid), *self._started_by(self.children[name])]
        return sum(
            connection.status != psutil.CONN_LISTEN
            for process in members
            for connection in process.net_connections("tcp")
        )

    def postgres_backends(self) -> list[psutil.Process]:
        """The server process, and those that serve clients."""
        serving = [
            process
            for process in self._started_by(self.children["postgres"])
            if f"{embedded.DATABASE_USER} {embedded.DATABASE_NAME}" in " ".join(process.cmdline())
        ]
        return [psutil.Process(self.children["postgres"].pid), *serving]

    @property
    def database(self) -> dict[str, Any]:
        """Django's settings of it."""
        if not cluster.CITUS_URL:
            return {"PASSWORD": "", "PORT": "", **embedded.database(self.plan.data_dir)}
        return {**given_addresses.database(cluster.CITUS_URL), "NAME": f"faults_{self.plan.port}"}

    @contextmanager
    def as_default_database(self) -> Iterator[None]:
        """Django's default connection in this process leads to this PostgreSQL."""
        own = self.database
        before = {name: connection.settings_dict[name] for name in own}
        connection.close()
        connection.settings_dict.update(own)
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict.update(before)

    def rows(self, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """The answer to one query, over a connection of its own."""
        with contextlib.closing(self._connect()) as own, own.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())

    def do(self, sql: str, parameters: Any = None) -> None:
        """One statement that lasts."""
        with contextlib.closing(self._connect()) as own, own.cursor() as cursor:
            own.autocommit = True
            cursor.execute(sql, parameters)

    @contextmanager
    def locked(self, table: str) -> Iterator[None]:
        """Nobody reads or writes the table meanwhile."""
        with contextlib.closing(self._connect()) as own, own.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield

    def num_waiting(self) -> int:
        """Batches that are not rolled up."""
        return int(self.rows("SELECT count(*) FROM metering_ingestbatch WHERE rolled_up_at IS NULL")[0][0])

    def wait_until_rolled_up(self, *, timeout_seconds: float = 60) -> None:
        """Returns when nothing waits any more."""
        caught_up = wait_until(lambda: not self.num_waiting(), timeout_seconds=timeout_seconds, every_seconds=0.1)
        assert caught_up, f"{self.num_waiting()} batches still wait"

    def wait_for_a_rollup(self, *, timeout_seconds: float = 30) -> None:
        """Returns while a rollup runs."""
        with contextlib.closing(self._connect()) as own, own.cursor() as cursor:

            def runs() -> bool:
                cursor.execute(ROLLING_UP_SQL)
                return bool(cursor.fetchall())

            own.autocommit = True
            assert wait_until(runs, timeout_seconds=timeout_seconds, every_seconds=0), "no rollup ran"

    def wait_for_no_rollup(self) -> None:
        assert wait_until(lambda: not self.rows(ROLLING_UP_SQL), timeout_seconds=30)

    @contextmanager
    def broker(self) -> Iterator[Any]:
        """A connection to this Valkey, for sending tasks and looking at the queue."""
        with Celery(broker=embedded.redis_url(self.plan.data_dir)).connection_for_write() as broker:
            yield broker

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of a page."""
        web = http.client.HTTPConnection(HOST, self.plan.port, timeout=10)
        try:
            web.request("GET", path)
            response = web.getresponse()
            return response.status, response.read()
        finally:
            web.close()

    def web_answers(self) -> bool:
        try:
            return self.get("/healthz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def _start_program(self, name: str, alias: str, environment: Mapping[str, str]) -> None:
        others = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PYTHONPATH")
        inherited = {key: value for key, value in os.environ.items() if key not in others}
        arguments = programs(self.plan)[name] + (["--hostname", f"{alias}@%h"] if name == "worker" else [])
        child = Child(
            name=alias,
            command=[sys.executable, *arguments],
            log=self.plan.data_dir / "log" / f"{alias}.log",
            directory=settings.BASE_DIR,
            environment={**inherited, **self._addresses(), "WEB_WORKERS": "2", **environment},
        )
        self.children[alias] = child
        child.start()
        if name == "web":
            answers: Callable[[], bool] = lambda: self.num_processes("web") > 2 and self.web_answers()  # noqa: E731
            assert wait_until(answers, timeout_seconds=START_TIMEOUT_SECONDS), child.log.read_text()

    def _addresses(self) -> dict[str, str]:
        """The environment that says where a program finds its servers."""
        found = {"DATA_DIR": str(self.plan.data_dir)}
        if cluster.CITUS_URL:
            found["DATABASE_URL"] = urlsplit(cluster.CITUS_URL)._replace(path=f"/{self.database['NAME']}").geturl()
        return found

    def _start_postgres(self) -> Child | Node:
        if not cluster.CITUS_URL:
            return servers.start_postgres(self.plan.data_dir)
        if self.nodes:
            self.nodes[0].start()
            return self.nodes[0]
        log = self.plan.data_dir / "log" / "nodes.log"
        log.parent.mkdir(exist_ok=True)
        self.nodes = [Node(cluster.where(node, "postgres"), log) for node in cluster.nodes_of_cluster()]
        cluster.execute_on_coordinator(f"CREATE DATABASE {self.database['NAME']}")
        return self.nodes[0]

    def _connect(self) -> Any:
        where = self.database
        return psycopg2.connect(
            host=where["HOST"],
            port=where["PORT"] or None,
            user=where["USER"],
            password=where["PASSWORD"] or None,
            dbname=where["NAME"],
            connect_timeout=5,
        )

    @staticmethod
    def _started_by(child: Child | Node) -> list[psutil.Process]:
        """The oldest first; process ids begin anew after the last one, so they do not tell."""
        try:
            return sorted(psutil.Process(child.pid).children(recursive=True), key=psutil.Process.create_time)
        except psutil.NoSuchProcess:
            return []

    def _left(self) -> list[psutil.Process]:
        left = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("DATA_DIR") == str(self.plan.data_dir):
                    left.append(process)
        return left


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
