"""Statistics as autovacuum makes them: beside a transaction, of whose rows it sees none."""

import psycopg2
from django.db import connection

from tests.machines.cluster import CITUS_URL, in_shards


def analyze_beside(table: str) -> None:
    """Of a table, or on a cluster of its shards, while this test's transaction is open."""
    if CITUS_URL:
        in_shards(table, "ANALYZE %s")
        return
    opened = psycopg2.connect(**connection.get_connection_params())
    try:
        opened.autocommit = True
        with opened.cursor() as cursor:
            cursor.execute(f"ANALYZE {table}")
    finally:
        opened.close()
