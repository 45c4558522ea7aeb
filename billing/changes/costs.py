"""Whose costs changed in months that may be billed already: noted by whoever changes them, in the same transaction."""

from collections.abc import Sequence
from typing import Any, Final

# Costs of the month that goes on are billed when it is over, whoever changed them. On its last day they are noted as well:
# what is rated before midnight may be committed after it.
NOTE_SQL: Final = """
INSERT INTO billing_costchange AS known (organization_id, number)
SELECT DISTINCT organization_id, 1
FROM (SELECT * FROM {rows}) AS changed
WHERE day < date_trunc('month', ({now} AT TIME ZONE 'UTC') + interval '1 day')::date
ORDER BY 1
ON CONFLICT (organization_id) DO UPDATE SET number = known.number + 1
"""
NOW: Final = "clock_timestamp()"


def note(cursor: Any, rows: str, parameters: Sequence[object] = ()) -> None:
    """The costs of these rows change. `rows` is a FROM item with organization_id and day, with conditions if need be."""
    cursor.execute(NOTE_SQL.format(rows=rows, now=NOW), parameters or None)
