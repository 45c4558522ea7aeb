"""An admitted event on its way into the table of raw events."""

from datetime import datetime
from typing import Final, NamedTuple

from metering.formats.events import Refusal
from metering.measures import MEASURES

MEASURE_COLUMNS: Final = ", ".join(MEASURES)
COLUMNS: Final = (
    "organization_id, occurred_at, event_id, batch_id, user_id, api_key_id, sku_id, routing, corrects, "
    + MEASURE_COLUMNS
)

ACCEPTED: Final = "accepted"
DUPLICATE: Final = "duplicate"
Outcome = str | Refusal
"""ACCEPTED, DUPLICATE, or why the event was refused."""


class Row(NamedTuple):
    """A row in COPY's text format (it begins with the identity, so rows sort by it), and what is needed beside it."""

    text: str
    occurred_at: datetime
    place: int
    """The event's place in its request."""
    homes: list[int]
    """Other organizations in which the event may be stored already; see `apikeys.routing.earlier_homes`."""
