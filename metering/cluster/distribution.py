"""From one PostgreSQL to a Citus cluster: which table goes where, and the steps there that are still to be taken.

What grows with usage is told apart by `organization_id` and lies beside the rest of the same organization, so that a run of
rollups and its MERGEs stay on the shard. What usage was for is copied to every node. People, keys, SKUs, prices, money and
the days of organizations that money follows from stay where they are, on the coordinator: no statement about money meets a
distributed table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from metering.cluster import state
from metering.measures import MEASURES
from metering.rollups import deltas
from metering.rollups.completeness import NUM_EVENTS
from metering.rollups.tables import DISTRIBUTED

FAST_SUM: Final = "metering_sum(bigint)"
IS_DISTRIBUTED: Final = "SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = to_regclass(%s))"
HAS_COLUMNS: Final = """
SELECT NOT EXISTS (SELECT unnest(%s) EXCEPT SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass(%s))
"""
IS_COPIED: Final = "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = 'copy_to_nodes')"

# Statements about people and money may not meet tables of the cluster; so the copy is another table, and a trigger fills it.
COPY_OF_PARTS: Final = (
    f"DROP TABLE IF EXISTS {state.PARTS_ON_NODES}",  # of a backup of a cluster
    f"CREATE TABLE {state.PARTS_ON_NODES} (LIKE {state.PARTS} INCLUDING ALL)",
    f"SELECT create_reference_table('{state.PARTS_ON_NODES}')",
    f"INSERT INTO {state.PARTS_ON_NODES} SELECT * FROM {state.PARTS}",
    f"""
    CREATE OR REPLACE FUNCTION copy_to_nodes() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO {state.PARTS_ON_NODES} (attribution_id, attribute_id, value_id)
        VALUES (NEW.attribution_id, NEW.attribute_id, NEW.value_id) ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$
    """,
    f"CREATE OR REPLACE TRIGGER copy_to_nodes AFTER INSERT ON {state.PARTS} FOR EACH ROW EXECUTE FUNCTION copy_to_nodes()",
)


class NotPossibleError(Exception):
    """Why this database cannot be distributed: a sentence for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done, in words, and the statements."""

    words: str
    statements: tuple[str, ...]


def check() -> int:
    """The number of nodes that can hold shards beside the coordinator. Raises NotPossibleError."""
    with connection.cursor() as cursor:
        if not _ask(cursor, "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"):
            raise NotPossibleError(
                "This database has no extension “citus”. Install it on the coordinator and on every worker, and run"
                " CREATE EXTENSION citus in the database of this name on each of them."
            )
        if not _ask(cursor, "SELECT EXISTS (SELECT FROM pg_dist_node WHERE groupid = 0)"):
            raise NotPossibleError(
                "The coordinator does not know its own address. Tell it: SELECT citus_set_coordinator_host('…', 5432);"
            )
        workers = int(
            _ask(cursor, "SELECT count(*) FROM pg_dist_node WHERE groupid <> 0 AND isactive AND shouldhaveshards")
        )
    if not workers:
        raise NotPossibleError("No worker node is there. Add one: SELECT citus_add_node('…', 5432);")
    return workers


def steps() -> Iterator[Step]:
    """What is still to be done, in order; nothing for a database that is distributed. After `check`."""
    with connection.cursor() as cursor:
        if not _ask(cursor, IS_DISTRIBUTED, state.PARTS_ON_NODES) or not _ask(cursor, IS_COPIED, state.PARTS):
            yield Step(f"{state.PARTS}: a copy on every node", COPY_OF_PARTS)
        if not _ask(cursor, "SELECT EXISTS (SELECT FROM pg_dist_object WHERE objid = %s::regprocedure)", FAST_SUM):
            yield Step(f"{FAST_SUM}: made on every node", (f"SELECT create_distributed_function('{FAST_SUM}')",))
        for table in DISTRIBUTED:
            if not _ask(cursor, IS_DISTRIBUTED, table):
                yield _distributed(table, first=table == DISTRIBUTED[0])
        for name, key in deltas.CLUSTER_TABLES.items():
            if not _ask(cursor, IS_DISTRIBUTED, name) or not _ask(cursor, HAS_COLUMNS, [*columns_of(key)], name):
                yield _delta(name, key)
        if not _ask(cursor, IS_DISTRIBUTED, state.EVENTS):  # the last, by which others know that all is done
            yield _distributed(state.EVENTS)


def take(step: Step) -> None:
    """Take one step, whole or not at all."""
    with connection.cursor() as cursor:
        for statement in step.statements:
            cursor.execute(statement)
    state.forget()


def _distributed(table: str, *, first: bool = False) -> Step:
    beside = "" if first else f", colocate_with => '{DISTRIBUTED[0]}'"
    return Step(
        f"{table}: distributed by organization",
        (
            f"SELECT create_distributed_table('{table}', 'organization_id'{beside})",
            f"SELECT truncate_local_data_after_distributing_table('{table}')",
        ),
    )


def _delta(name: str, key: str) -> Step:
    """Not unlogged: shards of unlogged tables, and those beside them, cannot be moved while they are written to. Nor can those of
    tables without a key, from which rows are deleted, unless the whole row is it."""
    columns = ", ".join(f"{column} {of_type}" for column, of_type in columns_of(key).items())
    return Step(
        f"{name}: the sums of a run, distributed by organization",
        (
            f"DROP TABLE IF EXISTS {name}",
            f"CREATE TABLE {name} ({columns})",
            f"ALTER TABLE {name} REPLICA IDENTITY FULL",
            f"SELECT create_distributed_table('{name}', 'organization_id', colocate_with => '{DISTRIBUTED[0]}')",
        ),
    )


def columns_of(key: str) -> dict[str, str]:
    """Of a table of a run's sums: those of its key and the measures, each with its type."""
    return {column: deltas.TYPES[column] for column in key.split(", ")} | dict.fromkeys(
        (*MEASURES, NUM_EVENTS), "bigint"
    )


def _ask(cursor: Any, sql: str, *parameters: object) -> Any:
    cursor.execute(sql, parameters)
    return cursor.fetchone()[0]
