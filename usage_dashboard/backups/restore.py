"""Back from a backup: everything or nothing, into an empty database, or in place of what is in one."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader

from usage_dashboard.backups import programs
from usage_dashboard.backups.programs import BackupError

FROM_VERSION: Final = re.compile(r"^;\s+Dumped from database version: (\d+)", re.MULTILINE)
MADE_AT: Final = re.compile(r"^; Archive created at (.+)$", re.MULTILINE)
OURS: Final = ("TABLE public django_migrations", "TABLE public metering_usageevent", "TABLE public accounts_user")
TABLES_SQL: Final = """
SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
"""
ASIDE: Final = "before_restore"
KILLED: Final = (
    f"An earlier restore was killed: what was in the database before is in its schema {ASIDE}. Bring it back first, in psql: "
    f"DROP SCHEMA public CASCADE; ALTER SCHEMA {ASIDE} RENAME TO public; (or drop it, if the restored data is whole)."
)
MAKE_PUBLIC_SQL: Final = """
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC;
COMMENT ON SCHEMA public IS 'standard public schema'
"""
COUNTED: Final = {
    "organizations": "accounts_organization",
    "people": "accounts_user",
    "API keys": "apikeys_apikey",
    "invoices": "billing_invoice",
}


@dataclass(frozen=True)
class Restored:
    """What came back. `made_at` is as `pg_restore` says it; `is_behind`: the schema is of an earlier version of the product."""

    made_at: str
    rows: dict[str, int]
    is_behind: bool


def restore(file: Path, *, replace: bool) -> Restored:
    """Everything that is in the file, or, if that fails, everything as it was. Nobody else may be in the database.

    Raises BackupError: for a file that is no whole backup, or of a newer version of PostgreSQL or the product; for a
    database that is not empty, unless `replace`.
    """
    version = programs.server_version()
    pg_restore = programs.find("pg_restore", least=version)
    made_at = _made_at(_contents(pg_restore, file), file, version)
    is_behind = _is_behind(pg_restore, file)
    with _emptied(replace=replace):
        all_or_nothing = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
        programs.run(pg_restore, *all_or_nothing, str(file), to_database=True)
    _execute("ANALYZE")
    rows = {name: _number(f"SELECT count(*) FROM {table}") for name, table in COUNTED.items()}
    return Restored(made_at, rows, is_behind)


def _contents(pg_restore: Path, file: Path) -> str:
    if not file.is_file():
        raise BackupError(f"There is no file {file}.")
    try:
        contents = programs.run(pg_restore, "--list", str(file), to_database=False)
    except BackupError as error:
        raise BackupError(f"{file} is no backup that can be read. {error}") from error
    if not all(f"{table} " in contents for table in OURS):
        raise BackupError(f"{file} is a backup of something else: our tables are not in it.")
    return contents


def _made_at(contents: str, file: Path, server_version: int) -> str:
    made_by, made_at = FROM_VERSION.search(contents), MADE_AT.search(contents)
    if made_by is None or made_at is None:
        raise BackupError(f"{file} does not say when, and from which PostgreSQL, it was made.")
    if int(made_by.group(1)) > server_version:
        raise BackupError(
            f"{file} is from PostgreSQL {made_by.group(1)}, and this server is {server_version}: too old."
        )
    return made_at.group(1).strip()


def _is_behind(pg_restore: Path, file: Path) -> bool:
    """Whether the schema in the file is earlier than this program's. Raises BackupError if it is later."""
    rows = programs.run(
        pg_restore, "--data-only", "--table", "django_migrations", "--file", "-", str(file), to_database=False
    )
    applied = {(row[1], row[2]) for line in rows.splitlines() if len(row := line.split("\t")) == 4}
    loader = MigrationLoader(None, ignore_no_migrations=True)
    ours = {app for app, _ in loader.disk_migrations}
    unknown = sorted(each for each in applied - set(loader.disk_migrations) if each[0] in ours)
    if unknown:
        app, name = unknown[0]
        raise BackupError(f"{file} was made by a newer version: this one does not know the migration {app}.{name}.")
    return bool(set(loader.disk_migrations) - applied)


@contextmanager
def _emptied(*, replace: bool) -> Iterator[None]:
    """Within it the database is empty; what was in it is put back if that ends with an error, and removed if not."""
    if _number(f"SELECT count(*) FROM pg_namespace WHERE nspname = '{ASIDE}'"):
        raise BackupError(KILLED)
    is_empty = _number(TABLES_SQL) == 0
    if not (is_empty or replace):
        raise BackupError(
            f"The database {connection.settings_dict['NAME']} is not empty. Restore into an empty one, or say --replace: "
            "then everything that is in it now is gone."
        )
    if not is_empty:
        _execute(f"ALTER SCHEMA public RENAME TO {ASIDE}; {MAKE_PUBLIC_SQL}")
    try:
        yield
    except BaseException:
        if not is_empty:
            _execute(f"DROP SCHEMA public CASCADE; ALTER SCHEMA {ASIDE} RENAME TO public")
        raise
    if not is_empty:
        _execute(f"DROP SCHEMA {ASIDE} CASCADE")


def _execute(sql: str) -> None:
    """All of it or nothing."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def _number(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])
