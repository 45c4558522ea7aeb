"""`backup` and `restore`: a file as of one moment while events come in, and everything back from it, elsewhere."""

import os
import re
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import psycopg2
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from accounts.models import Organization
from billing.prices import rating
from metering.models import UsageEvent
from metering.rollups import partitions, retention
from tests.engine import days_ago, make_event, make_key, make_token, send
from tests.machines.cluster import CITUS_URL
from tests.machines.servers import open_directory
from tests.world import World
from usage_dashboard.backups import programs
from usage_dashboard.machine import embedded
from usage_dashboard.machine.servers import start_postgres
from usage_dashboard.models import Backup

ROLL_UP = "import django; django.setup(); from billing.prices import rating; print(rating.catch_up())"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        bool(CITUS_URL), reason="the file is of one PostgreSQL; test_backup_of_a_cluster.py has the others"
    ),
]


class Sender:
    """Sends events, ten at a time, until it is told to stop; knows which were acknowledged."""

    def __init__(self, world: World) -> None:
        self.key, self.token = make_key(world.rita), make_token()
        self.num_acknowledged = 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._work)

    def send(self, number: int) -> None:
        ids = [f"event-{number}-{n}" for n in range(10)]
        assert (
            send([make_event(id=each, api_key_id=self.key.public_id) for each in ids], self.token) == ["accepted"] * 10
        )
        self.num_acknowledged += len(ids)

    def _work(self) -> None:
        number = 1000
        while not self.is_over.is_set():
            self.send(number)
            number += 1
        connection.close()

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        self.thread.join(30)


class Elsewhere:
    """Another machine: a DATA_DIR of its own with nothing in it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        own = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")
        inherited = {name: value for name, value in os.environ.items() if name not in own}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=settings.BASE_DIR,
            env={**inherited, "DATA_DIR": str(self.data_dir)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        database = embedded.database(self.data_dir)
        found = psycopg2.connect(host=database["HOST"], user=database["USER"], dbname=database["NAME"])
        try:
            with found.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        finally:
            found.close()


def stored() -> set[str]:
    return {str(event_id) for event_id in UsageEvent.objects.values_list("event_id", flat=True)}


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    with open_directory() as temporary:
        yield Elsewhere(temporary / "data")
        shutil.rmtree(embedded.socket_directory(temporary / "data"), ignore_errors=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "usage.backup"


def test_what_was_acknowledged_before_the_backup_is_there_elsewhere_and_adds_up(
    world: World, file: Path, elsewhere: Elsewhere
) -> None:
    sender = Sender(world)
    sender.send(1)
    with sender:
        assert rating.roll_up_and_rate() > 0
        num_before = sender.num_acknowledged
        before = stored()
        call_command("backup", str(file))
    assert len(before) >= num_before
    assert len(stored()) == sender.num_acknowledged > num_before
    restored = elsewhere.run("manage.py", "restore", str(file))
    assert restored.returncode == 0, restored.stderr
    assert f"{Organization.objects.count()} organizations" in restored.stdout
    server = start_postgres(elsewhere.data_dir)
    try:
        ids = {str(row[0]) for row in elsewhere.rows("SELECT event_id FROM metering_usageevent")}
        assert before <= ids <= stored()
        assert len(ids) % 10 == 0  # requests are in it whole or not at all
        assert elsewhere.run("-c", ROLL_UP).returncode == 0
        proof = elsewhere.run("manage.py", "verify_rollups")
        assert (proof.returncode, "drift 0" in proof.stdout) == (0, True), proof.stdout + proof.stderr
        (waiting,) = elsewhere.rows("SELECT count(*) FROM metering_ingestbatch WHERE rolled_up_at IS NULL")
        assert waiting == (0,)
    finally:
        server.stop()


def test_the_file_is_its_owners_alone_is_noted_and_is_not_written_over(world: World, file: Path) -> None:
    call_command("backup", str(file))
    before = file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (noted,) = Backup.objects.all()
    assert (noted.name, noted.num_bytes) == ("usage.backup", len(before))
    with pytest.raises(CommandError, match="is there already"):
        call_command("backup", str(file))
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["usage.backup"]


def test_a_backup_that_fails_leaves_no_file(world: World, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "NAME", "no_such_database")
    with pytest.raises(CommandError, match="pg_dump ended with an error"):
        call_command("backup", str(file))
    assert list(file.parent.iterdir()) == []
    monkeypatch.undo()
    assert not Backup.objects.exists()


@pytest.mark.parametrize("name", ["nowhere/usage.backup", "/proc/usage.backup"])
def test_a_place_that_cannot_be_written_to_is_said_in_a_sentence(world: World, tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("backup", str(tmp_path / name))


def test_old_events_are_not_dropped_under_a_backup(world: World, settings: Settings) -> None:
    """The drop would wait for the backup, and every request with events for the drop."""
    settings.USAGE_EVENT_MAX_AGE_DAYS = 30
    old = days_ago(25)
    assert send(make_event(api_key_id=make_key(world.rita).public_id, timestamp=old), make_token()) == ["accepted"]
    assert rating.catch_up() == 1
    settings.USAGE_EVENT_MAX_AGE_DAYS = settings.USAGE_EVENT_RETENTION_DAYS = 5
    dropped: list[Any] = []

    def drop() -> None:
        dropped.extend(retention.drop_old())
        connection.close()

    with retention.held_back():
        thread = threading.Thread(target=drop)
        thread.start()
        thread.join(60)
        assert dropped == []
        assert UsageEvent.objects.count() == 1
    assert old.date() in retention.drop_old()  # other tests leave empty days
    partitions.forget()


def test_a_database_that_others_are_in_is_left_alone(world: World, file: Path) -> None:
    call_command("backup", str(file))
    other = connection.copy()
    other.ensure_connection()
    try:
        with pytest.raises(CommandError, match="Others are connected"):
            call_command("restore", str(file), replace=True)
    finally:
        other.close()
    assert Organization.objects.exists()


def test_a_session_that_is_just_ending_is_waited_for(world: World, file: Path) -> None:
    call_command("backup", str(file))
    other = psycopg2.connect(**{**connection.get_connection_params(), "cursor_factory": None, "context": None})
    ending = threading.Timer(0.4, other.close)
    ending.start()
    call_command("restore", str(file), replace=True)
    ending.join()
    assert Organization.objects.exists()


def test_a_database_with_something_in_it_is_replaced_only_if_that_is_said(world: World, file: Path) -> None:
    make_key(world.rita, "before")
    call_command("backup", str(file))
    Organization.objects.filter(pk=world.acme.pk).update(name="Renamed since")
    with pytest.raises(CommandError, match="is not empty"):
        call_command("restore", str(file))
    assert Organization.objects.get(pk=world.acme.pk).name == "Renamed since"
    call_command("restore", str(file), replace=True)
    assert Organization.objects.get(pk=world.acme.pk).name == world.acme.name
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)'")
        assert cursor.fetchall() == [("public",)]


def test_a_restore_that_breaks_off_leaves_everything_as_it_was(world: World, file: Path) -> None:
    call_command("backup", str(file))
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 9 // 10])
    with pytest.raises(CommandError):
        call_command("restore", str(file), replace=True)
    assert Organization.objects.get(pk=world.acme.pk).name == world.acme.name


def test_what_a_killed_restore_has_put_aside_is_not_lost(world: World, file: Path) -> None:
    call_command("backup", str(file))
    with connection.cursor() as cursor:
        cursor.execute("ALTER SCHEMA public RENAME TO before_restore; CREATE SCHEMA public")
    try:
        with pytest.raises(CommandError, match="An earlier restore was killed") as said:
            call_command("restore", str(file), replace=True)
        (remedy,) = re.findall(
            r"DROP SCHEMA public CASCADE; ALTER SCHEMA before_restore RENAME TO public;", str(said.value)
        )
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE; ALTER SCHEMA before_restore RENAME TO public")
    assert remedy
    assert Organization.objects.get(pk=world.acme.pk).name == world.acme.name


def test_what_postgresql_does_not_allow_is_said_in_a_sentence(world: World, file: Path) -> None:
    call_command("backup", str(file))
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE without_rights; SET ROLE without_rights")
    try:
        with pytest.raises(CommandError, match="PostgreSQL says: "):
            call_command("restore", str(file), replace=True)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE; DROP ROLE without_rights")
    assert Organization.objects.get(pk=world.acme.pk).name == world.acme.name


def test_what_is_no_backup_is_said_in_a_sentence(world: World, file: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no file"):
        call_command("restore", str(file), replace=True)
    file.write_text("hello")
    with pytest.raises(CommandError, match="no backup that can be read"):
        call_command("restore", str(file), replace=True)
    other = tmp_path / "other.backup"
    pg_dump = programs.find("pg_dump", least=programs.server_version())
    one_table = ("--format", "custom", "--table", "accounts_user", "--file", str(other))
    programs.run(pg_dump, *one_table, to_database=True)
    with pytest.raises(CommandError, match="something else"):
        call_command("restore", str(other), replace=True)


def test_a_backup_of_a_newer_version_is_refused(world: World, file: Path) -> None:
    sql = "{} FROM django_migrations WHERE name = '9999_later'"
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('metering', '9999_later', now())")
    try:
        call_command("backup", str(file))
    finally:
        with connection.cursor() as cursor:
            cursor.execute(sql.format("DELETE"))
    with pytest.raises(CommandError, match=r"newer version.*metering\.9999_later"):
        call_command("restore", str(file), replace=True)
    assert Organization.objects.exists()


def test_programs_older_than_the_server_are_not_taken(world: World) -> None:
    with pytest.raises(programs.BackupError, match=r"There is no pg_dump of PostgreSQL 99 or newer here"):
        programs.find("pg_dump", least=99)
