"""What EXPLAIN answers in JSON, on one PostgreSQL and on a cluster, whose plans have those of the shards within them."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

Plan = dict[str, Any]
SHARD: Final = re.compile(r"_\d+$")
NAMES: Final = ("Relation Name", "Index Name")


def plan_in(answer: Any) -> Plan:
    """The outermost node of what EXPLAIN (FORMAT JSON) answered."""
    plan: Plan = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
    return plan


def nodes_of(plan: Plan) -> Iterator[Plan]:
    """It and all that is below it; tables and indexes of shards have the names that they have on one PostgreSQL."""
    yield plan
    for part in (*plan.get("Plans", ()), *_fetched_first(plan)):
        yield from nodes_of(part)
    for part in _in_shards(plan):
        for node in nodes_of(part):
            yield node | {name: SHARD.sub("", node[name]) for name in NAMES if name in node}


def outermost(plan: Plan) -> list[Plan]:
    """The nodes that do the work: it, or on a cluster that of each shard."""
    return _in_shards(plan) or [plan]


def _fetched_first(plan: Plan) -> list[Plan]:
    subplans = plan.get("Distributed Query", {}).get("Subplans", ())
    return [explained["Plan"] for subplan in subplans for explained in subplan["PlannedStmt"]]


def _in_shards(plan: Plan) -> list[Plan]:
    tasks = plan.get("Distributed Query", {}).get("Job", {}).get("Tasks", ())
    return [explained["Plan"] for task in tasks for (explained,) in task["Remote Plan"]]
