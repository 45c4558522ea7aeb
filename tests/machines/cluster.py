"""The tests on a Citus cluster: with CITUS_URL set, their databases are distributed over the nodes of the cluster there.

CITUS_URL is the address of a database on the coordinator that knows its nodes; DATABASE_URL must be the same.
"""

import os
from collections.abc import Iterator
from typing import Any, Final

import psycopg2
import pytest
from django.db import connection

from metering.cluster import distribution, state

CITUS_URL: Final = os.environ.get("CITUS_URL", "")
NODES_SQL: Final = "SELECT groupid, nodename, nodeport FROM pg_dist_node WHERE isactive ORDER BY groupid"
SETTINGS_SQL: Final = (
    "ALTER DATABASE {name} SET citus.shard_count = 4",
    "ALTER DATABASE {name} SET citus.explain_all_tasks = on",
)
SETTINGS_OF_ONE_TRANSACTION_SQL: Final = (
    # A test is one transaction, in which partitions are made beside rows that are written.
    "ALTER DATABASE {name} SET citus.multi_shard_modify_mode = 'sequential'",
    "ALTER DATABASE {name} SET citus.max_cached_conns_per_worker = 4",
)
Node = tuple[int, str, int]


@pytest.fixture(scope="session")
def django_db_setup(request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """What this process knows of its database is known before tests count queries."""
    with django_db_blocker.unblock():
        state.forget()
        is_new = CITUS_URL and not state.is_distributed()
        nodes = distribute(*SETTINGS_OF_ONE_TRANSACTION_SQL) if is_new else []
        state.forget()
        assert state.is_distributed() == bool(CITUS_URL)
    yield
    if not request.config.getvalue("reuse_db"):
        with django_db_blocker.unblock():
            take_down(nodes)


def nodes_of_cluster() -> list[Node]:
    """The coordinator, and then the workers."""
    with psycopg2.connect(CITUS_URL) as known, known.cursor() as cursor:
        cursor.execute(NODES_SQL)
        return list(cursor.fetchall())


def distribute(*settings_sql: str) -> list[Node]:
    """Make Django's database, which has the schema, a cluster's: the same on every node, and known to the coordinator."""
    name = connection.settings_dict["NAME"]
    nodes = nodes_of_cluster()
    for node in nodes:
        if node[0]:
            _execute(node, "postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")
            _execute(node, name, "CREATE EXTENSION citus")
    coordinator, *workers = nodes
    connection.close()
    _execute(
        coordinator,
        name,
        "CREATE EXTENSION citus",
        *(sql.format(name=name) for sql in (*SETTINGS_SQL, *settings_sql)),
        f"SELECT citus_set_coordinator_host('{coordinator[1]}', {coordinator[2]})",
        *(f"SELECT citus_add_node('{host}', {port})" for _, host, port in workers),
    )
    assert distribution.check() == len(workers)
    for step in distribution.steps():
        distribution.take(step)
    return nodes


def take_down(nodes: list[Node]) -> None:
    """Leave the coordinator a database without the cluster's own connections, for Django to drop."""
    name = connection.settings_dict["NAME"]
    if nodes:
        connection.close()
        _execute(nodes[0], name, "DROP EXTENSION citus CASCADE")
    for node in nodes[1:]:
        _execute(node, "postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def execute_on_coordinator(sql: str) -> None:
    """Outside Django's own database."""
    _execute(nodes_of_cluster()[0], "postgres", sql)


def in_shards(table: str, sql: str) -> list[str]:
    """What a statement with %s in the place of a table's name answers, as text: of the table, or on a cluster of each shard."""
    with connection.cursor() as cursor:
        if CITUS_URL:
            cursor.execute("SELECT result FROM run_command_on_shards(%s, %s)", [table, sql])
        else:
            cursor.execute(sql.replace("%s", table))
        return [str(found) for (found,) in cursor.fetchall()]


def where(node: Node, database: str) -> dict[str, Any]:
    """psycopg2's parameters: as the user of DATABASE_URL, whatever its address is."""
    own = connection.get_connection_params()
    return {
        "host": node[1],
        "port": node[2],
        "dbname": database,
        "user": own["user"],
        "password": own.get("password"),
    }


def _execute(node: Node, database: str, *statements: str) -> None:
    opened = psycopg2.connect(**where(node, database))
    try:
        opened.autocommit = True
        with opened.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    finally:
        opened.close()
