"""What has to be true before web, worker and beat start: the schema and the collected static files are current."""

import hashlib
from importlib.metadata import version
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def migrate() -> bool:
    """Bring the schema up to date; returns whether there was anything to do."""
    executor = MigrationExecutor(connection)
    is_behind = bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if is_behind:
        call_command("migrate", interactive=False, verbosity=0)
    return is_behind


def collect_static() -> bool:
    """Collect and compress the static files if any has changed since the last time; returns whether one had."""
    known = Path(settings.DATA_DIR) / "staticfiles.fingerprint"
    fingerprint = static_fingerprint()
    if known.exists() and known.read_text(encoding="ascii") == fingerprint and Path(settings.STATIC_ROOT).is_dir():
        return False
    known.unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    known.write_text(fingerprint, encoding="ascii")
    return True


def static_fingerprint() -> str:
    """One text for the names, sizes and times of all static files, and for what processes them."""
    digest = hashlib.sha256(
        f"{settings.STORAGES['staticfiles']['BACKEND']} {version('django')} {version('whitenoise')}".encode()
    )
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
