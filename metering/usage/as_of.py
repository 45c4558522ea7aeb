"""Usage as the rollups had it at a moment: what they have now, less the events that were added to them since.

It is exact because one run at a time adds to the rollups, and marks the batches that it adds with the time in the same
transaction. Events must still be kept: the moment is one of today, or of yesterday.
"""

from typing import Final

from metering.cluster.state import gathered, is_distributed
from metering.measures import MEASURES
from metering.rollups.run import VISIBLE_KEY
from metering.rollups.tables import HOUR
from metering.usage.attributed import OF_GRAIN, with_values
from metering.usage.groupings import Grain, Grouping

ROLLED_UP_THROUGH: Final = "coalesce((SELECT max(rolled_up_at) FROM metering_ingestbatch), to_timestamp(0))"
"""The moment that a statement sees the rollups of, for the parameter `as_of` of later ones. Where all batches were dropped, as
old ones are, whatever comes is later."""
AFTERWARDS: Final = "rolled_up_at > %(as_of)s"
WHEN: Final = {
    "day": "usage.day >= %(start)s AND usage.day < %(end)s",
    "hour": "usage.hour >= %(start_at)s AND usage.hour < %(end_at)s",
}
SLOTS: Final = {"day": "(occurred_at AT TIME ZONE 'UTC')::date", "hour": HOUR}


def rows(now: str, grain: Grain, slot: str, dimensions: tuple[Grouping, ...]) -> str:
    """What stands behind FROM, of the rows `now` of hours or days: they have the columns of the grain and of dimensions."""
    values = [f"value_{place}" for place, _ in enumerate(dimensions)]
    columns = ", ".join(["organization_id", slot, *OF_GRAIN[grain], "sku_id", *values, *MEASURES])
    whose = " AND api_key_id = 0" if grain == Grain.UNTRACKED else ""
    added = f"""(
        SELECT organization_id, {SLOTS[slot]} AS {slot}, user_id, {VISIBLE_KEY} AS api_key_id, sku_id, attribution_id,
            {", ".join(f"-coalesce({name}, 0)::numeric AS {name}" for name in MEASURES)}
        FROM metering_usageevent
        WHERE organization_id = ANY(%(organization_ids)s)
          AND occurred_at >= %(start_at)s AND occurred_at < %(end_at)s
          AND batch_id {_in("SELECT id FROM metering_ingestbatch WHERE " + AFTERWARDS)}
    )"""
    if dimensions:
        added = with_values(added, dimensions)
    return f"""(
        SELECT {columns} FROM {now} AS usage WHERE usage.organization_id = ANY(%(organization_ids)s) AND {WHEN[slot]}
        UNION ALL SELECT {columns} FROM {added} AS usage WHERE true{whose} {gathered()}
    )"""


def _in(ids: str) -> str:
    """The condition that a column is one of these ids. The nodes of a cluster get them as a list: a join with what is asked
    elsewhere may not stand in a union there."""
    return f"= ANY(ARRAY({ids}))" if is_distributed() else f"IN ({ids})"
