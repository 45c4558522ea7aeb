"""PostgreSQL's own programs `pg_dump` and `pg_restore`: found, and run against the database of the settings."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.db import connection
from psycopg2.extensions import make_dsn

from usage_dashboard.machine.processes import LaunchError
from usage_dashboard.machine.servers import program

VERSION: Final = re.compile(r"(\d+)[\w.]*")
NOT_LIBPQ: Final = ("cursor_factory", "options", "password")


class BackupError(Exception):
    """What is wrong and what to do about it, for the person at the terminal."""


def server_version() -> int:
    """The major version of the database's server."""
    connection.ensure_connection()
    return int(connection.connection.server_version) // 10_000


def find(name: str, *, least: int) -> Path:
    """The program in the installed packages or on PATH, of this major version or the next newer one. Raises BackupError.

    A `pg_restore` sets what an older server may not know.
    """
    versions = {path: _version(path) for path in _candidates(name)}
    fit = [path for path, version in versions.items() if version >= least]
    if fit:
        return min(fit, key=versions.__getitem__)
    found = f" ({', '.join(f'{path} is {version}' for path, version in versions.items())})" if versions else ""
    raise BackupError(f"There is no {name} of PostgreSQL {least} or newer here{found}: install its client programs.")


def _candidates(name: str) -> Iterator[Path]:
    with contextlib.suppress(LaunchError):  # the packages have none for every machine
        yield program(name)
    on_path = shutil.which(name)
    if on_path:
        yield Path(on_path)


def _version(path: Path) -> int:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - own commands
    found = VERSION.search(said)
    return int(found.group(1)) if found else 0


def run(path: Path, *arguments: str, to_database: bool) -> str:
    """What it prints; `to_database`: it connects there. Raises BackupError with what it said went wrong."""
    target, environment = _connection() if to_database else ([], dict(os.environ))
    done = subprocess.run(  # noqa: S603 - own commands
        [path, *target, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()[-5:]
        raise BackupError("\n".join([f"{path.name} ended with an error:", *(f"    {line}" for line in lines)]))
    return done.stdout


def _connection() -> tuple[list[str], dict[str, str]]:
    """Arguments and environment that lead a program of PostgreSQL to our database; nobody sees a password among processes."""
    given: dict[str, Any] = connection.get_connection_params()
    password = given.get("password")
    dsn = make_dsn(
        **{name: value for name, value in given.items() if name not in NOT_LIBPQ and value not in ("", None)}
    )
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return ["--dbname", dsn], {**inherited, **({"PGPASSWORD": str(password)} if password else {})}
