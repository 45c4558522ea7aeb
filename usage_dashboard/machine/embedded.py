"""Where the PostgreSQL and the Redis-compatible server for one machine are: all of it follows from DATA_DIR.

Both listen on Unix sockets in one private directory, so that every command finds them without being told, and no port
can be in use. `usage_dashboard.machine.servers` starts them.
"""

import contextlib
import hashlib
import os
import re
import secrets
import tempfile
from pathlib import Path
from typing import Any

DATABASE_NAME = "usage_dashboard"
DATABASE_USER = "postgres"
REDIS_SOCKET = "redis.sock"
LONGEST_SOCKET_DIRECTORY = 80  # a Unix socket path has 103 bytes at most


class DataDirectoryError(Exception):
    """DATA_DIR cannot be used: a sentence for the person at the terminal."""


def socket_directory(data_dir: Path) -> Path:
    """Where the sockets are: `data_dir/run`, or a short path in the temporary directory if that one cannot be used."""
    directory = data_dir / "run"
    if len(str(directory)) <= LONGEST_SOCKET_DIRECTORY and re.fullmatch(r"[\w/.-]+", str(directory), re.ASCII):
        return directory
    return Path(tempfile.gettempdir()) / cluster_name(data_dir)


def cluster_name(data_dir: Path) -> str:
    """What tells the embedded servers of this directory from those of others: it follows from the path."""
    return f"usage-dashboard-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]}"


def database(data_dir: Path) -> dict[str, Any]:
    """Django's settings of the embedded PostgreSQL."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": DATABASE_NAME,
        "USER": DATABASE_USER,
        "HOST": str(socket_directory(data_dir)),
    }


def redis_url(data_dir: Path) -> str:
    """Celery's address of the embedded Redis-compatible server."""
    return f"redis+socket://{socket_directory(data_dir)}/{REDIS_SOCKET}"


def secret_key(data_dir: Path) -> str:
    """This installation's own SECRET_KEY, made once and readable by its owner alone. Raises DataDirectoryError."""
    path = data_dir / "secret_key"
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _write_once(path, secrets.token_urlsafe(48))
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise DataDirectoryError(unusable(data_dir, error)) from error


def unusable(data_dir: Path, error: OSError) -> str:
    """The sentence for a data directory that cannot be written to."""
    return (
        f"{data_dir} cannot be used ({error.strerror}). "
        "Make room or change its owner, or set DATA_DIR to another directory."
    )


def _write_once(path: Path, text: str) -> None:
    """Write a file that appears whole or not at all; of two writers at once, the first wins."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 – an open descriptor has no path
            file.write(text)
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(name)
    finally:
        Path(name).unlink()
