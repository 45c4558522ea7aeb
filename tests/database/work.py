"""How much work the database does for something, counted in pages and rows and not in seconds: the same on a busy machine."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection

from tests.database.plans import SHARD, Plan, nodes_of, outermost, plan_in

CHANGES: Final = re.compile(r"\s*(MERGE|INSERT|UPDATE|DELETE|WITH|CREATE TEMPORARY TABLE \w+ (ON COMMIT DROP )?AS)\b")


@dataclass
class Work:
    """The plans of what was carried out, the outermost nodes of each."""

    plans: list[Plan] = field(default_factory=list)

    @property
    def num_pages(self) -> int:
        """How often a page was asked for, of tables and indexes that stay."""
        return sum(int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]) for plan in self.plans)

    @property
    def num_rows(self) -> int:
        """How many rows were written to tables."""
        written = [plan["Plans"][0] for plan in self.plans if plan["Node Type"] == "ModifyTable"]
        return sum(int(rows["Actual Rows"] * rows["Actual Loops"]) for rows in written)

    def pages_for(self, table: str) -> int:
        """How often a page was asked for to change this table."""
        plans = (plan for plan in self.plans if SHARD.sub("", plan.get("Relation Name", "")) == table)
        return sum(int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]) for plan in plans)

    def scans_of(self, alias: str) -> int:
        """How often a table was looked into, under the name that it has in the statement."""
        return sum(int(node["Actual Loops"]) for node in self._reads_of(alias))

    def rows_read_of(self, alias: str) -> int:
        """How many rows of a table were read, under the name that it has in the statement."""
        return sum(int(node["Actual Rows"] * node["Actual Loops"]) for node in self._reads_of(alias))

    def conditions_of(self, table: str) -> list[str]:
        """By what rows of the table were looked for, in its indexes and in itself."""
        nodes = (node for plan in self.plans for node in nodes_of(plan))
        read = (node for node in nodes if f"{node.get('Relation Name')} {node.get('Index Name')}".count(table))
        return [node[kind] for node in read for kind in ("Index Cond", "Recheck Cond", "Filter") if kind in node]

    def _reads_of(self, alias: str) -> Iterator[Plan]:
        nodes = (node for plan in self.plans for node in nodes_of(plan))
        return (node for node in nodes if node.get("Alias") == alias and "Scan" in node["Node Type"])


@contextmanager
def counted() -> Iterator[Work]:
    """The work of the statements within that change something and return nothing. They are carried out as ever."""
    work = Work()

    def explained(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if not CHANGES.match(sql) or "RETURNING" in sql or ";" in sql:
            return execute(sql, params, many, context)
        result = execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params, many, context)
        ((found,),) = context["cursor"].fetchall()
        work.plans.extend(outermost(plan_in(found)))
        return result

    with connection.execute_wrapper(explained):
        yield work
