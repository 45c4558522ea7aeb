"""All checks, in an order in which the first wrong thing explains the next."""

from collections.abc import Iterator
from typing import Final

from django.db import DatabaseError, connection

from usage_dashboard.doctor import programs, stores, surroundings, work
from usage_dashboard.doctor.findings import Check, Finding, wrong

OUTSIDE: Final[tuple[Check, ...]] = (
    surroundings.address,
    surroundings.mail,
    surroundings.secret_key,
    surroundings.disk,
    stores.redis,
    programs.workers,
)
SCHEMA: Final[tuple[Check, ...]] = (stores.database, stores.tuning, stores.clocks, stores.migrations)
INSIDE: Final[tuple[Check, ...]] = (
    stores.cluster,
    work.partitions,
    work.readings,
    work.failed_items,
    work.prices,
    work.backups,
    surroundings.staff,
    surroundings.stored_secrets,
    surroundings.seller,
    surroundings.paper_logo,
)


def examine(*, more: tuple[Check, ...] = ()) -> Iterator[tuple[Check, Finding]]:
    """What every check finds, and `more` of those that look into the database. Without it, or with another schema, what is in
    it is not looked at."""
    for check in OUTSIDE:
        yield from _of(check)
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        yield (
            stores.database,
            wrong(f"PostgreSQL does not answer: {_first_line(error)}.", "Start it, or set DATABASE_URL."),
        )
        return
    of_schema = [found for check in SCHEMA for found in _of(check)]
    yield from of_schema
    if any(finding.remedy == "Run manage.py migrate." for _, finding in of_schema):
        return
    for check in (*INSIDE, *more):
        try:
            yield from _of(check)
        except DatabaseError as error:
            what = check.__name__.replace("_", " ")
            yield check, wrong(f"{what} could not be looked at: {_first_line(error)}.", "See PostgreSQL's log.")


def _of(check: Check) -> Iterator[tuple[Check, Finding]]:
    for finding in check():
        yield check, finding


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
