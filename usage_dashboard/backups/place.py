"""Where the database of a backup is: one of the operator's own, or the embedded one, which is started if it does not run."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from django.conf import settings
from django.db import OperationalError, connection, connections

from metering.cluster.state import is_distributed
from usage_dashboard.backups.programs import BackupError
from usage_dashboard.machine.orphans import only_launcher
from usage_dashboard.machine.processes import LaunchError
from usage_dashboard.machine.servers import start_postgres

OTHERS_SQL = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
LEAVING_SECONDS: Final = 2.0
OF_A_CLUSTER = (
    "This database is spread over the nodes of a Citus cluster, which have no moment in common: a file would have events whose\n"
    "batches it lacks. Back up every server by PostgreSQL's own means (docs/operations.md, “More than one machine”)."
)


@contextmanager
def open_database(*, alone: bool) -> Iterator[None]:
    """Within it the database answers. `alone`: and nobody else is in it. Raises BackupError, also for a cluster."""
    with ExitStack() as stack:
        if not settings.DATABASE_URL:
            _open_embedded(stack, alone=alone)
        if not _answers():
            raise BackupError(f"PostgreSQL does not answer at {connection.settings_dict['HOST'] or 'its address'}.")
        if is_distributed():
            raise BackupError(OF_A_CLUSTER)
        if alone:
            _require_nobody_else()
        yield


def _open_embedded(stack: ExitStack, *, alone: bool) -> None:
    is_running = _answers()
    if is_running and not alone:
        return
    settings.DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        stack.enter_context(only_launcher(settings.DATA_DIR, "(a backup, not a server)"))
        if not is_running:
            stack.callback(start_postgres(settings.DATA_DIR).stop)
    except LaunchError as error:
        raise BackupError(f"{error}\nStop it first: Ctrl-C where it runs.") from error
    stack.callback(connections.close_all)


def _answers() -> bool:
    try:
        connection.ensure_connection()
    except OperationalError:
        return False
    return True


def _require_nobody_else() -> None:
    """A program that has just ended, as a backup before this, may leave its session there for a moment."""
    until = time.monotonic() + LEAVING_SECONDS
    while (others := _num_others()) and time.monotonic() < until:
        time.sleep(0.05)
    if others:
        raise BackupError(
            f"Others are connected to this database ({others}). Stop web, workers and beat, and end other sessions."
        )


def _num_others() -> int:
    with connection.cursor() as cursor:
        cursor.execute(OTHERS_SQL)
        (others,) = cursor.fetchone()
    return int(others)
