"""The one command: it starts everything, keeps it running, says what is wrong, and leaves nothing behind."""

import http.client
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import psutil
import psycopg2
import pytest
from django.conf import settings
from psycopg2.extensions import POLL_OK

from tests.machines.servers import open_directory
from usage_dashboard.machine import embedded
from usage_dashboard.machine.left_overs import is_alive
from usage_dashboard.machine.orphans import only_launcher
from usage_dashboard.machine.processes import LaunchError, wait_until
from usage_dashboard.machine.server_account import private_data_directory, server_account

pytestmark = pytest.mark.faults
TIMEOUT_SECONDS = 60
NUM_KILLS = 3  # four within a minute are the most that the launcher goes on after


class Launched:
    """`manage.py run`, or `demo`, over a DATA_DIR, and what it printed."""

    def __init__(self, data_dir: Path, port: int, command: str = "run", **said: str) -> None:
        self.data_dir, self.port = data_dir, port
        self.output = data_dir.parent / f"output-{time.monotonic_ns()}"
        own = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "SECRET_KEY")
        inherited = {name: value for name, value in os.environ.items() if name not in own}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", command],
                cwd=settings.BASE_DIR,
                env={**inherited, "DATA_DIR": str(data_dir), "PORT": str(port), "WEB_WORKERS": "1", **said},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def text(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def has_said(self, sentence: str, *, times: int) -> bool:
        return self.text().count(sentence) == times

    def wait_until_ready(self) -> None:
        wait_until(
            lambda: "Ready at" in self.text() or self.process.poll() is not None, timeout_seconds=TIMEOUT_SECONDS
        )
        assert "Ready at" in self.text(), self.text()

    def pid_of(self, name: str) -> int:
        entries = json.loads((self.data_dir / "processes.json").read_text(encoding="ascii"))
        return next(int(entry["pid"]) for entry in entries if entry["name"] == name)

    def status_of(self, path: str) -> int | None:
        web = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            web.request("GET", path)
            return web.getresponse().status
        except OSError:
            return None
        finally:
            web.close()

    def left(self) -> list[str]:
        """The processes that still carry this DATA_DIR."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("DATA_DIR") == str(self.data_dir):
                    found.append(" ".join(process.cmdline()))
            except psutil.Error:
                continue
        return found

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(TIMEOUT_SECONDS)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with open_directory() as temporary:
        directory = temporary / "data with spaces"
        directory.mkdir()
        yield directory
        shutil.rmtree(embedded.socket_directory(directory), ignore_errors=True)


@pytest.fixture
def launched(data_dir: Path, port: int) -> Iterator[Launched]:
    launched = Launched(data_dir, port)
    try:
        yield launched
    finally:
        launched.process.send_signal(signal.SIGTERM)
        launched.process.wait(TIMEOUT_SECONDS)


def test_the_whole_life_of_a_launch(launched: Launched) -> None:
    """One story, because starting takes seconds: ready, second launcher refused, web killed, Ctrl-C, nothing left."""
    launched.wait_until_ready()
    assert launched.status_of("/healthz") == 200
    assert launched.status_of("/accounts/login/") == 200
    assert open_to_others(launched.data_dir) == []
    assert "EMAIL IS NOT SENT" in launched.text()
    assert "EMAIL IS NOT SENT" in (launched.data_dir / "log" / "web.log").read_text(encoding="utf-8")

    second = Launched(launched.data_dir, launched.port + 1)
    assert second.process.wait(TIMEOUT_SECONDS) == 1
    assert f"It is running already, at http://localhost:{launched.port}" in second.text()
    assert "Traceback" not in second.text()

    os.kill(launched.pid_of("web"), signal.SIGKILL)
    assert wait_until(lambda: "web ended unexpectedly" in launched.text(), timeout_seconds=TIMEOUT_SECONDS)
    assert wait_until(lambda: launched.status_of("/healthz") == 200, timeout_seconds=TIMEOUT_SECONDS)

    asked = time.monotonic()
    assert launched.end() == 0
    assert time.monotonic() - asked < 10
    assert launched.left() == []
    assert "Traceback" not in launched.text()


def test_after_kill_9_the_next_start_finds_the_data_and_no_rivals(
    launched: Launched, data_dir: Path, port: int
) -> None:
    launched.wait_until_ready()
    query(data_dir, "CREATE TABLE kept AS SELECT 1 AS number")
    launched.end(signal.SIGKILL)
    leave_open(data_dir)

    again = Launched(data_dir, port)
    try:
        again.wait_until_ready()
        assert query(data_dir, "SELECT number FROM kept") == 1
        assert open_to_others(data_dir) == []
    finally:
        assert again.end(signal.SIGTERM) == 0
    assert again.left() == []


def test_postgres_is_killed_again_and_again_while_a_backend_works_and_everything_goes_on(launched: Launched) -> None:
    launched.wait_until_ready()
    programs = {name: launched.pid_of(name) for name in ("web", "worker", "beat", "redis")}
    for number in range(1, NUM_KILLS + 1):
        with busy_backend(launched.data_dir) as backend:
            os.kill(launched.pid_of("postgres"), signal.SIGKILL)
            assert wait_until(
                partial(launched.has_said, "postgres ended unexpectedly", times=number),
                timeout_seconds=TIMEOUT_SECONDS,
            )
            assert wait_until(lambda: launched.status_of("/readyz") == 200, timeout_seconds=TIMEOUT_SECONDS)
            assert not is_alive(backend), launched.text()
    assert {name: launched.pid_of(name) for name in programs} == programs
    assert launched.end() == 0
    assert launched.left() == []


@pytest.mark.parametrize("command", ["run", "demo"])
def test_a_port_in_use_is_said_before_anything_starts_with_the_command_that_was_typed(
    data_dir: Path, command: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        launched = Launched(data_dir, port, command)
        assert launched.process.wait(TIMEOUT_SECONDS) == 1

    assert f"Port {port} cannot be used" in launched.text()
    assert f"PORT={port + 1} make {command}\n" in launched.text()
    assert "Traceback" not in launched.text()
    assert not (data_dir / "postgres").exists()


def test_a_data_directory_that_cannot_be_used_is_said_without_a_traceback(tmp_path: Path, port: int) -> None:
    (tmp_path / "file").touch()

    environment = {name: value for name, value in os.environ.items() if name != "SECRET_KEY"}

    completed = subprocess.run(
        [sys.executable, "manage.py", "run"],
        cwd=settings.BASE_DIR,
        env={**environment, "DATA_DIR": str(tmp_path / "file" / "data"), "PORT": str(port)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )

    assert completed.returncode == 1
    assert "set DATA_DIR to another directory" in completed.stderr
    assert "Traceback" not in completed.stderr


def test_a_command_without_its_database_says_how_to_start_it(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    completed = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--check"],
        cwd=settings.BASE_DIR,
        env={**environment, "DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )

    assert completed.returncode == 1
    assert "PostgreSQL does not answer" in completed.stderr
    assert "Traceback" not in completed.stderr


def test_a_directory_that_everybody_shares_is_not_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(LaunchError, match="DATA_DIR"):
        private_data_directory(tmp_path, None)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o1777


def test_a_data_directory_has_one_launcher_at_a_time(tmp_path: Path) -> None:
    with (
        only_launcher(tmp_path, "http://localhost:1"),
        pytest.raises(LaunchError, match="running already, at http://localhost:1"),
        only_launcher(tmp_path, "http://localhost:3"),
    ):
        pass
    with only_launcher(tmp_path, "http://localhost:2"):
        pass


@contextmanager
def busy_backend(data_dir: Path) -> Iterator[psutil.Process]:
    """A backend that counts, and looks at nothing else for minutes, of a client that waits for it."""
    connection = psycopg2.connect(
        host=str(embedded.socket_directory(data_dir)),
        user=embedded.DATABASE_USER,
        dbname=embedded.DATABASE_NAME,
        async_=True,
    )
    with closing(connection):
        while connection.poll() != POLL_OK:
            time.sleep(0.01)
        backend = psutil.Process(connection.info.backend_pid)
        connection.cursor().execute("DO $$ BEGIN FOR n IN 1..2000000000 LOOP NULL; END LOOP; END $$")
        assert wait_until(lambda: " ".join(backend.cmdline()).strip().endswith("DO"), timeout_seconds=10)
        yield backend


def leave_open(data_dir: Path) -> None:
    """As earlier versions made it."""
    data_dir.chmod(0o755)
    (data_dir / "log").chmod(0o755)
    (data_dir / "log" / "web.log.1").write_text("https://usage.example.com/accounts/password/reset/key/…")
    for path in (*data_dir.iterdir(), *(data_dir / "log").iterdir()):
        if path.is_file():
            path.chmod(0o644)


def open_to_others(data_dir: Path) -> list[str]:
    """What other users could enter or read; only the servers' account, if there is one, may pass through at the top."""
    account = server_account()
    found = [str(path) for path in (data_dir, data_dir / "log") if path.stat().st_mode & (0o067 if account else 0o077)]
    if account and data_dir.stat().st_gid != account.group_id:
        found.append("group")
    files = (path for path in (*data_dir.iterdir(), *(data_dir / "log").iterdir()) if path.is_file())
    return found + [str(path) for path in files if path.stat().st_mode & 0o077]


def query(data_dir: Path, sql: str) -> object:
    connection = psycopg2.connect(
        host=str(embedded.socket_directory(data_dir)), user=embedded.DATABASE_USER, dbname=embedded.DATABASE_NAME
    )
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return next(iter(cursor), (None,))[0] if cursor.description else None
    finally:
        connection.close()
