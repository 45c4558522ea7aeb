"""Of a cluster: whether all events of the batches that a run has claimed were there to be read.

A transaction over several machines is committed on the coordinator first and on the nodes an instant later or, when a node
is away at that instant, as soon as it is back. Until then its batch can be seen and its events cannot. Batches whose
transaction has not ended everywhere are not claimed; those whose node was away are found out by counting, and wait.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from metering.cluster.state import is_distributed

NUM_EVENTS: Final = "num_events"
# A transaction lets go of its number when its nodes have committed, too.
HAS_ENDED: Final = "xmin NOT IN (SELECT transactionid FROM pg_locks WHERE locktype = 'transactionid')"
COUNT_SQL: Final = """
SELECT batch_id, count(*) FROM metering_usageevent
WHERE batch_id BETWEEN %(first_batch)s AND %(last_batch)s AND occurred_at BETWEEN %(first)s AND %(last)s
GROUP BY 1
"""


IS_ROLLED_UP: Final = "batch_id NOT IN (SELECT id FROM metering_ingestbatch WHERE rolled_up_at IS NULL)"
# A node may show events of a batch that a statement of the coordinator does not know of yet: those meant are named.
IS_KNOWN_TO_BE_ROLLED_UP: Final = "batch_id <@ %(rolled_up)s::int8multirange"
BATCHES_SQL: Final = """
SELECT min(batch_id), max(batch_id) FROM metering_usageevent WHERE occurred_at >= %(start)s AND occurred_at < %(end)s
"""
ROLLED_UP_SQL: Final = """
SELECT coalesce(range_agg(int8range(id, id, '[]')), '{}')::text FROM metering_ingestbatch
WHERE rolled_up_at IS NOT NULL AND id BETWEEN %s AND %s
"""


class NotCompleteError(Exception):
    """Batches of which not all events can be seen yet."""

    def __init__(self, batches: Collection[int]) -> None:
        super().__init__(sorted(batches))
        self.batches = batches


def may_be_claimed() -> str:
    """The condition on batches that wait."""
    return HAS_ENDED if is_distributed() else "true"


def is_rolled_up() -> str:
    """The condition on raw events that are in the rollups; its parameters are in `with_rolled_up`."""
    return IS_KNOWN_TO_BE_ROLLED_UP if is_distributed() else IS_ROLLED_UP


def with_rolled_up(cursor: Any, bounds: Mapping[str, Any]) -> dict[str, Any]:
    """The bounds of a period with those of its batches that are rolled up. On a cluster the caller holds the rollups' lock."""
    if not is_distributed():
        return dict(bounds)
    cursor.execute(BATCHES_SQL, bounds)
    cursor.execute(ROLLED_UP_SQL, cursor.fetchone())
    return {**bounds, "rolled_up": cursor.fetchone()[0]}


def counted() -> dict[str, str]:
    """The column of a run's first table that counts events, and how: nothing on one PostgreSQL, whose snapshots are whole."""
    return {NUM_EVENTS: "count(*)"} if is_distributed() else {}


def check(cursor: Any, num_events: Mapping[int, int], bounds: Mapping[str, int | datetime | list[int]]) -> None:
    """Raises NotCompleteError if the table of a run's sums has not all events of its batches, of which we know how many."""
    if not is_distributed():
        return
    cursor.execute(f"SELECT coalesce(sum({NUM_EVENTS}), 0) FROM attributed_delta")
    if cursor.fetchone()[0] == sum(num_events.values()):
        return
    cursor.execute(COUNT_SQL, bounds)
    found = dict(cursor.fetchall())
    raise NotCompleteError({batch for batch, number in num_events.items() if found.get(batch) != number})
