"""Whether somebody waits for a lock, so that a test of two at once does not depend on how fast the machine is."""

from time import monotonic, sleep
from typing import Final

from django.db import connection

PATIENCE_SECONDS: Final = 20
WAITING_SQL: Final = (
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
)


def until_somebody_waits() -> None:
    """Returns when another connection waits for what this one holds."""
    until = monotonic() + PATIENCE_SECONDS
    with connection.cursor() as cursor:
        while monotonic() < until:
            cursor.execute(WAITING_SQL)
            if cursor.fetchone() != (0,):
                return
            sleep(0.01)
    raise AssertionError("Nobody waited.")
