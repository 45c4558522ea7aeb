"""Whether this database is spread over several machines by Citus, and what then must be said otherwise in SQL."""

from functools import cache
from typing import Any

from django.db import connection

EVENTS = "metering_usageevent"
"""The last table to be distributed: where it is, all are."""

PARTS = "metering_attributionpart"
PARTS_ON_NODES = "cluster_attributionpart"


@cache
def is_distributed() -> bool:
    """Whether tables that grow with usage lie on the nodes of a cluster. Asked once in the life of a process: a database is
    distributed while nothing else runs (`manage.py distribute`)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return False
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = to_regclass(%s) AND partmethod = 'h')",
            [EVENTS],
        )
        return bool(cursor.fetchone()[0])


def forget() -> None:
    """Ask again: this is another database, or it was distributed just now."""
    is_distributed.cache_clear()


def parts_table() -> str:
    """The table of the values of combinations, for joins with usage: on a cluster the copy that every node has."""
    return PARTS_ON_NODES if is_distributed() else PARTS


def fence() -> str:
    """What keeps a LATERAL subquery as it stands, so that each row is looked up by its key whatever the statistics say.

    Citus refuses it, and plans what it sends to a shard with the statistics of that shard.
    """
    return "" if is_distributed() else "OFFSET 0"


def gathered() -> str:
    """The end of a subquery that is joined with what is not beside it: on a cluster its rows are fetched from the nodes first.

    It must say itself which rows are meant; no condition outside of it is sent to the nodes.
    """
    return "OFFSET 0" if is_distributed() else ""


def expected_many(column: str) -> str:
    """A column more, for which PostgreSQL expects a thousand times as many rows as there are of a run's sums. For a cluster.

    Their tables stay there, and are empty whenever statistics of them are made. For the one row that is expected then, to read
    all of an index seems as cheap as to look the row up in it.
    """
    return f", generate_series({column}, {column}) AS once" if is_distributed() else ""


def set_local(cursor: Any, *settings: str) -> None:
    """Set what PostgreSQL plans by, until the transaction ends, on the nodes of a cluster as well.

    Citus sends them the text that it got, which must be of one setting and nothing else.
    """
    statements = [f"SET LOCAL {setting}" for setting in settings]
    if not is_distributed():
        cursor.execute("; ".join(statements))
        return
    cursor.execute("SET LOCAL citus.propagate_set_commands = 'local'")
    for statement in (*statements, "SET LOCAL citus.propagate_set_commands = 'none'"):
        cursor.execute(statement)
