"""How much of what an API key sends may be refused before its requests are not read any more for a while.

To read and to weigh an event costs the same whether it is stored in the end or not, and what is stored is limited already
(`metering.intake.key_limits`). So is this: a key that sends without end what nobody wants takes little from others. Each
process counts by itself. Ingest tokens are the operator's own, and are not counted.
"""

import math
from typing import Final

from django.conf import settings

from apikeys.allowances import Allowances

LEAST: Final = 100
"""What a request costs beside its events, in events, if all of it is refused."""
UNREADABLE: Final = 1_000
"""What a body counts that is no events at all."""


allowances: Final[Allowances[int]] = Allowances()


def seconds_to_wait(api_key_id: int) -> int:
    """Before the key is read again; 0 for a key that may be read now."""
    return math.ceil(allowances.seconds_to_wait(api_key_id, most=_most()))


def note(api_key_id: int, *, num_events: int, num_stored: int, num_known: int) -> None:
    """What was stored makes up for as much that was not: those wait of which most is refused, or known from before."""
    num_useless = num_events - 2 * num_stored
    if num_stored + num_known == 0:
        num_useless = max(num_useless, LEAST)
    if num_useless > 0:
        allowances.take(api_key_id, num_useless, most=_most())


def note_unreadable(api_key_id: int) -> None:
    allowances.take(api_key_id, UNREADABLE, most=_most())


def _most() -> int:
    return int(settings.API_KEY_REFUSED_EVENTS_PER_MINUTE)
