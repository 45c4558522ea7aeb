"""`manage.py postgresql_settings` prints what a PostgreSQL takes; the embedded one and that of the containers have the same."""

import io
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from pytest_django import Settings

from tests.machines.servers import open_directory
from usage_dashboard.machine import embedded
from usage_dashboard.machine.servers import start_postgres
from usage_dashboard.machine.tuning import postgresql
from usage_dashboard.machine.tuning.memory import parse


def printed(**options: Any) -> str:
    out = io.StringIO()
    call_command("postgresql_settings", stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with open_directory() as directory:
        yield directory


def shown(data_dir: Path, names: list[str]) -> dict[str, str]:
    """What the embedded server over this directory has."""
    where = embedded.database(data_dir)
    server = psycopg2.connect(host=where["HOST"], user=where["USER"], dbname=where["NAME"])
    with server.cursor() as cursor:
        cursor.execute("SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name", [names])
        found = dict(cursor.fetchall())
    server.close()
    return found


def test_what_is_printed_is_for_the_memory_and_the_connections_that_are_named() -> None:
    text = printed(memory="16GB", connections=300)
    assert "shared_buffers = '4GB'\n" in text
    assert "max_connections = '300'\n" in text
    assert "wal_compression = 'lz4'\n" in text
    assert "fsync" not in text


def test_connections_follow_from_web_where_none_are_named(settings: Settings) -> None:
    settings.WEB_WORKERS, settings.WEB_THREADS = 10, 16
    assert "max_connections = '220'\n" in printed(memory="16GB")
    assert "max_connections = '400'\n" in printed(memory="16GB", web_hosts=2)


def test_memory_that_is_none_is_said_in_a_sentence() -> None:
    with pytest.raises(CommandError, match="--memory is “lots”: it must be a number"):
        printed(memory="lots")


@pytest.mark.parametrize("memory", ["256MB", "512MB", "4GB"])
def test_the_embedded_server_starts_with_them_on_a_small_machine_and_on_a_large_one(
    data_dir: Path, settings: Settings, memory: str
) -> None:
    settings.POSTGRES_MEMORY = parse(memory)
    settings.WEB_WORKERS, settings.WEB_THREADS = 10, 16
    server = start_postgres(data_dir)
    try:
        wanted = postgresql.settings_of(memory_bytes=parse(memory), connections=220)
        assert shown(data_dir, list(wanted)) == wanted
        assert shown(data_dir, ["fsync", "synchronous_commit", "full_page_writes"]) == dict.fromkeys(
            ("fsync", "synchronous_commit", "full_page_writes"), "on"
        )
    finally:
        server.stop()


def test_containers_have_what_two_gigabytes_are_given_unless_they_are_told() -> None:
    compose = yaml.safe_load((Path(django_settings.BASE_DIR) / "docker-compose.yml").read_text(encoding="utf-8"))
    command = str(compose["services"]["postgres"]["command"])
    before, _, rest = command.partition("${POSTGRES_SETTINGS:-")
    assert before == "postgres "
    assert rest.endswith("}")
    assert shlex.split(rest[:-1]) == shlex.split(printed(memory="2GB", connections=200, arguments=True))
