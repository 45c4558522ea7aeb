"""PostgreSQL and a Redis-compatible server for one machine, from wheels, under DATA_DIR.

Both listen on Unix sockets in one private directory whose name follows from DATA_DIR, so that every command finds them
without being told, and no port can be in use.
"""

import hashlib
import re
import secrets
import tempfile
from pathlib import Path

DATABASE_NAME = "usage_dashboard"
DATABASE_USER = "postgres"
LONGEST_SOCKET_DIRECTORY = 80  # a Unix socket path has 103 bytes at most


def socket_directory(data_dir: Path) -> Path:
    """Where the servers' sockets are: `data_dir/run`, or a short path in the temporary directory if that one cannot be used."""
    directory = data_dir / "run"
    if len(str(directory)) <= LONGEST_SOCKET_DIRECTORY and re.fullmatch(r"[\w/.-]+", str(directory), re.ASCII):
        return directory
    digest = hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"usage-dashboard-{digest}"


def database(data_dir: Path) -> dict[str, object]:
    """Django's settings of the embedded PostgreSQL."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": DATABASE_NAME,
        "USER": DATABASE_USER,
        "HOST": str(socket_directory(data_dir)),
    }


def redis_url(data_dir: Path) -> str:
    """Celery's address of the embedded Redis-compatible server."""
    return f"redis+socket://{socket_directory(data_dir)}/redis.sock"


def secret_key(data_dir: Path) -> str:
    """This installation's own SECRET_KEY, made once and readable by its owner alone."""
    path = data_dir / "secret_key"
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="ascii") as file:
            path.chmod(0o600)
            file.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return path.read_text(encoding="ascii")
