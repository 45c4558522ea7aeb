"""The database and Redis: do they answer, are they what the product needs, and do the clocks agree?"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from accounts.clock import database_now
from accounts.pages.words import counted
from metering.cluster import distribution
from metering.cluster.state import is_distributed
from usage_dashboard.doctor.findings import Finding, fine, note, wrong
from usage_dashboard.machine.tuning.memory import text
from usage_dashboard.machine.tuning.postgresql import SPARE_CONNECTIONS, connections_of, settings_of
from usage_dashboard.monitoring.broker import queue_lengths

LEAST_POSTGRESQL: Final = 15
MOST_SECONDS_APART: Final = 10
"""Codes of second factors are of half a minute, by the clock of web."""
FAR_BELOW: Final = 4
"""What is so many times less than it could be is said."""
TUNED: Final = ("shared_buffers", "max_wal_size")
PRINTS: Final = "Run manage.py postgresql_settings, which prints better ones (docs/operations.md)."
TUNED_SQL: Final = """
SELECT name, pg_size_bytes(current_setting(name)), pg_size_bytes(wanted), current_setting(name)
FROM unnest(%s::text[], %s::text[]) AS each (name, wanted)
"""


def database() -> Iterator[Finding]:
    """Raises django.db.OperationalError if it does not answer."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW client_connection_check_interval")
        (interval,) = cursor.fetchone()
    version = connection.connection.server_version // 10_000
    if version < LEAST_POSTGRESQL:
        yield wrong(f"PostgreSQL is {version}.", f"Move to PostgreSQL {LEAST_POSTGRESQL} or newer.")
    else:
        yield fine(f"PostgreSQL {version} answers.")
    if interval == "0":
        yield note(
            "PostgreSQL does not notice that a program was killed, and lets its statement hold the locks on.",
            "ALTER SYSTEM SET client_connection_check_interval = '2s'; SELECT pg_reload_conf();",
        )


def tuning() -> Iterator[Finding]:
    """PostgreSQL's own settings beside what suits POSTGRES_MEMORY, and its connections beside those that web may open."""
    needed = connections_of(web_processes=settings.WEB_WORKERS, web_threads=settings.WEB_THREADS)
    suitable = settings_of(memory_bytes=settings.POSTGRES_MEMORY, connections=needed)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('max_connections')::integer")
        (most,) = cursor.fetchone()
        cursor.execute(TUNED_SQL, [list(TUNED), [suitable[name] for name in TUNED]])
        found = cursor.fetchall()
    if most < needed - SPARE_CONNECTIONS:
        yield wrong(
            f"PostgreSQL takes {most} connections, and web and workers open up to {needed - SPARE_CONNECTIONS}: "
            "events are refused then (503).",
            f"Set max_connections to {needed}, or less WEB_WORKERS or WEB_THREADS.",
        )
    low = [f"{name} is {shown}" for name, has, wanted, shown in found if has * FAR_BELOW <= wanted]
    if low:
        yield note(
            f"PostgreSQL is set for a smaller machine than one with {text(settings.POSTGRES_MEMORY)} for it: "
            f"{' and '.join(low)}.",
            PRINTS,
        )
    else:
        yield fine("PostgreSQL is set for its machine.")


def migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    known = set(executor.loader.disk_migrations)
    ours = {app for app, _ in known}
    later = [each for each in executor.loader.applied_migrations if each not in known and each[0] in ours]
    if plan:
        yield wrong(f"The schema is behind: {counted(len(plan), 'migration')} to apply.", "Run manage.py migrate.")
    elif later:
        yield wrong(
            f"The schema is of a newer version ({later[0][0]}.{later[0][1]}).",
            "Start that version, or restore a backup from before it.",
        )
    else:
        yield fine("The schema is up to date.")


def cluster() -> Iterator[Finding]:
    """Whether all that rollups need is on the nodes of a cluster: an upgrade may have made tables that are not there yet."""
    if not is_distributed():
        return
    if left := sum(1 for _ in distribution.steps()):
        yield wrong(
            f"The cluster is distributed in part, {counted(left, 'step')} {'is' if left == 1 else 'are'} left: "
            "rollups fail meanwhile.",
            "Stop web, worker and beat, and run manage.py distribute --apply.",
        )
    else:
        yield fine("All that grows with usage is on the nodes of the cluster.")


def clocks() -> Iterator[Finding]:
    """The clock of this machine and the database's."""
    apart = abs((datetime.now(UTC) - database_now()).total_seconds())
    if apart > MOST_SECONDS_APART:
        yield wrong(
            f"The clocks of this machine and of the database are {apart:.0f} s apart.",
            "Let NTP set both: else codes of second factors are refused.",
        )
    else:
        yield fine("The clocks of this machine and of the database agree.")


def redis() -> Iterator[Finding]:
    if queue_lengths() is None:
        yield wrong(
            "Redis does not answer: prices of new models, budgets, emails and webhooks stand still.",
            "Start it, or set REDIS_URL.",
        )
    else:
        yield fine("Redis answers.")
