"""How large things are and of which version: nothing to mend, but what is asked first when something is."""

import platform
from collections.abc import Iterator
from typing import Final

import django
from django.db import connection

from accounts.pages.words import counted
from metering.rollups.partitions import TABLE
from usage_dashboard.doctor.findings import Check, Finding, fine
from usage_dashboard.monitoring.readings import MOST_COUNTED, read

SIZES_SQL: Final = """
SELECT pg_database_size(current_database()),
    coalesce((SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = to_regclass(%s)), 0)::bigint,
    (SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass(%s))
"""


def versions() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (postgresql,) = cursor.fetchone()
    yield fine(
        f"Python {platform.python_version()}, Django {django.get_version()}, PostgreSQL {postgresql.split()[0]} "
        f"on {platform.system()} {platform.machine()}."
    )


def sizes() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(SIZES_SQL, [TABLE, TABLE])
        whole, events, num_days = cursor.fetchone()
    tables = counted(num_days, "table")
    yield fine(f"The database has {_megabytes(whole)}; {_megabytes(events)} of that are events, in {tables} of a day.")


def waiting() -> Iterator[Finding]:
    """What waits for the programs beside web, at this moment."""
    found = read()
    yield fine(
        f"Stored batches that wait to be rolled up: {found.num_waiting_batches:,}{_or_more(found.num_waiting_batches)}."
    )
    if found.queues is not None:
        queues = ", ".join(f"{number:,} in {queue}" for queue, number in sorted(found.queues.items()))
        yield fine(f"Tasks that wait: {queues}.")
    for each in found.deliveries:
        number = each.num_new + each.num_tried
        yield fine(f"{each.kind.capitalize()}s that wait to be sent: {number:,}{_or_more(number)}.")
    used = sum(number for _, number in found.connections)
    yield fine(f"{used} of {found.most_connections} connections to the database are used.")


ALL: Final[tuple[Check, ...]] = (versions, sizes, waiting)


def _or_more(number: int) -> str:
    return " or more" if number >= MOST_COUNTED else ""


def _megabytes(number: int) -> str:
    return f"{number / 1_000_000_000:,.1f} GB" if number >= 1_000_000_000 else f"{number / 1_000_000:,.0f} MB"
