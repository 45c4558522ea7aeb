"""Figure: rollups on the PostgreSQL that is set for its machine, beside one with PostgreSQL's default settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import connection

from benchmarks.load.generate import clear, generate
from benchmarks.load.world import World, make_world
from benchmarks.measure import Figure, compare
from benchmarks.rollups.runs import MILLION, SPAN, rolled_up
from metering.intake import skus
from metering.rollups import partitions
from usage_dashboard.machine import embedded
from usage_dashboard.machine.preparation import migrate
from usage_dashboard.machine.servers import start_postgres

WANT: Final = 1.4


def measure(world: World, *, quick: bool) -> Figure:
    """Runs of 1,000,000 events (quick: 100,000), in turn on both, each with its own rows of the earlier runs."""
    num_events = MILLION // 10 if quick else MILLION
    values: list[float] = []
    limits: list[float] = []
    clear()
    with _default_server() as data_dir:
        with _as_default_database(data_dir):
            migrate()
            other = make_world("tuning")
        for repeat in range(5 if quick else 8):
            for is_limit in (True, False)[:: 1 if repeat % 2 else -1]:
                if is_limit:
                    with _as_default_database(data_dir):
                        limits.append(_run(other, num_events))
                else:
                    values.append(_run(world, num_events))
    return compare(
        "rollup_tuned",
        unit="events/s",
        values=values[1:],  # the first runs make the rows that the others change
        limits=limits[1:],
        want=WANT,
        notes={"events per run": num_events, "the other's settings": "PostgreSQL's defaults"},
    )


def _run(world: World, num_events: int) -> float:
    return rolled_up(generate(world, num_events=num_events, start=datetime.now(UTC) - SPAN, span=SPAN))


@contextmanager
def _default_server() -> Iterator[Path]:
    """Another server, with PostgreSQL's default settings."""
    data_dir = Path(settings.DATA_DIR) / "defaults"
    server = start_postgres(data_dir, own={})
    try:
        yield data_dir
    finally:
        server.stop()


@contextmanager
def _as_default_database(data_dir: Path) -> Iterator[None]:
    """Django's default connection leads to the server over this directory, and nothing is remembered of the other one."""
    before = dict(connection.settings_dict)
    _leave(embedded.database(data_dir))
    try:
        yield
    finally:
        _leave(before)


def _leave(where: dict[str, object]) -> None:
    connection.close()
    connection.settings_dict.update(where)
    partitions.forget()
    skus.forget()
