"""A backup: the whole database as of one moment in one file, while everything goes on."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from accounts.clock import database_now
from metering.rollups import retention
from usage_dashboard.backups import programs
from usage_dashboard.backups.programs import BackupError
from usage_dashboard.models import Backup


@dataclass(frozen=True)
class Made:
    """What a backup has in it: everything that was acknowledged before `as_of`, and where it is."""

    file: Path
    as_of: datetime
    num_bytes: int
    server_version: int


def back_up(file: Path) -> Made:
    """Write the file, which appears whole or not at all, and note in the database that it was made.

    Raises BackupError, also if there is such a file: a backup is never written over.
    """
    version = programs.server_version()
    pg_dump = programs.find("pg_dump", least=version)
    pg_restore = programs.find("pg_restore", least=version)
    with _aside(file) as unfinished, retention.held_back():
        as_of = database_now()
        whole = ("--format", "custom", "--no-owner", "--no-privileges", "--file", str(unfinished))
        programs.run(pg_dump, *whole, to_database=True)
        programs.run(pg_restore, "--list", str(unfinished), to_database=False)
    num_bytes = file.stat().st_size
    Backup.objects.create(as_of=as_of, name=file.name[:255], num_bytes=num_bytes)
    return Made(file, as_of, num_bytes, version)


@contextmanager
def _aside(file: Path) -> Iterator[Path]:
    """A file beside the one that is wanted, for its owner alone, which takes its name at the end if all went well."""
    unfinished = file.with_name(f".{file.name}.unfinished-{os.getpid()}")
    try:
        if file.exists():
            raise BackupError(f"{file} is there already: a backup is not written over. Take another name.")
        unfinished.touch(mode=0o600, exist_ok=False)
        yield unfinished
        _to_disk(unfinished)
        _name(unfinished, file)
        _to_disk(file.parent)
    except OSError as error:
        raise BackupError(f"{file} cannot be written ({error.strerror}).") from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _name(unfinished: Path, file: Path) -> None:
    """Of two backups with one name the first has it, where the file system knows links."""
    try:
        file.hardlink_to(unfinished)
    except FileExistsError:
        raise BackupError(f"{file} has appeared meanwhile: take another name.") from None
    except OSError:
        unfinished.rename(file)
