"""PostgreSQL's settings by its memory and its clients. What a commit promises (fsync, synchronous_commit) stays as it is.

Its defaults are for a machine with little memory: of 128 MB of cache the rollups' rows fall out while they are still changed, and
after each gigabyte of log all that changes is written whole once more.
"""

from typing import Final

from usage_dashboard.machine.tuning.memory import UNITS, text

MB: Final = UNITS["MB"]
GB: Final = UNITS["GB"]
LEAST_CONNECTIONS: Final = 100
"""PostgreSQL's default."""
SPARE_CONNECTIONS: Final = 20
"""For commands, monitors, backups, a second version that starts before the first one stops, and superusers."""
BESIDE_REQUESTS: Final = 2
"""Connections of a process of web that write what it counted."""
WORKER_CONNECTIONS: Final = 6
"""Of a worker: four tasks at once, and two of what hears that events arrived."""
DELIVERY_CONNECTIONS: Final = 8
CHECK_INTERVAL: Final = "2s"
"""Until the statement and the locks of a program that was killed end."""


def connections_of(*, web_processes: int, web_threads: int, workers: int = 1) -> int:
    """How many connections the programs open at most, and some to spare; `workers` of each kind."""
    web = web_processes * (web_threads + BESIDE_REQUESTS)
    wanted = web + workers * (WORKER_CONNECTIONS + DELIVERY_CONNECTIONS) + SPARE_CONNECTIONS
    return max(LEAST_CONNECTIONS, -(-wanted // 10) * 10)


def settings_of(*, memory_bytes: int, connections: int, disk_bytes: int | None = None) -> dict[str, str]:
    """For a PostgreSQL that may count on this memory. It starts with the least as well. Of a disk of this size its log takes a
    tenth at most, if that is a gigabyte."""
    largest_log = _within(memory_bytes // 4, GB, 16 * GB)
    if disk_bytes is not None:
        largest_log = max(min(largest_log, disk_bytes // 10), GB)
    return {
        "shared_buffers": text(_within(memory_bytes // 4, 64 * MB, 16 * GB)),
        "effective_cache_size": text(max(memory_bytes * 3 // 4, 128 * MB)),
        "work_mem": text(_within(memory_bytes // 4 // connections, 4 * MB, 64 * MB)),
        "maintenance_work_mem": text(_within(memory_bytes // 16, 64 * MB, GB)),
        "max_wal_size": text(largest_log),
        "min_wal_size": text(largest_log // 4),
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        "max_connections": str(connections),
        "client_connection_check_interval": CHECK_INTERVAL,
    }


def as_file(settings: dict[str, str]) -> str:
    """Lines for `postgresql.conf`, or a file beside it."""
    return "".join(f"{name} = '{value}'\n" for name, value in settings.items())


def as_arguments(settings: dict[str, str]) -> str:
    """For the command that starts the server."""
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def _within(value: int, least: int, most: int) -> int:
    return min(max(value, least), most)
