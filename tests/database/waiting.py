"""Whether somebody waits for a lock, so that a test of two at once does not depend on how fast the machine is."""

from time import monotonic, sleep
from typing import Final

from django.db import connection

PATIENCE_SECONDS: Final = 20
WAITING_SQL: Final = (
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
)
IN_LINE_SQL: Final = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"


def until_somebody_waits() -> None:
    """Returns when another connection waits for what this one holds."""
    _until(WAITING_SQL, 1)


def until_in_line(number: int) -> None:
    """Returns when so many wait for a lock, whoever holds it."""
    _until(IN_LINE_SQL, number)


def _until(sql: str, number: int) -> None:
    until = monotonic() + PATIENCE_SECONDS
    with connection.cursor() as cursor:
        while monotonic() < until:
            cursor.execute(sql)
            (found,) = cursor.fetchone()
            if found >= number:
                return
            sleep(0.01)
    raise AssertionError(f"Fewer than {number} waited.")
