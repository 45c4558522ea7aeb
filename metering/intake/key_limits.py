"""What an API key may report by itself in a minute: a number of events, and a number of units.

A unit is about what a token is: a character is 1, a megabyte 1, a model request, an image, a second or a session 1,000. So one
figure bounds what can be spent in a minute, whatever it is spent on.

The count is shared by all web processes (`KeyMinute`). To ask for it with each request would cost a write each; so each
process lets a key have a share of the limit before it asks, and then asks for as much again at a time. The limit is never
exceeded by more than a share for each further process. Without the database there is no ingest either, so nothing else is
needed for when it is away.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from django.conf import settings
from django.db import connection

from metering.intake import ingest
from metering.intake.checks import check
from metering.intake.copy_rows import ACCEPTED, Outcome
from metering.intake.formats.events import Correction, Event, Item, PlainEvent, Refusal

UNITS_EACH: Final = 1_000
BYTES_IN_UNIT: Final = 1_000_000
SHARES: Final = 20
"""A process asks for one part in so many of the limit at a time."""
NO_LIMIT: Final = 2**60  # which nobody reaches, and of which several fit into a column
OVER_THE_LIMIT: Final = Refusal(
    "key_limit",
    "The API key has reported as much as it may by itself in a minute; send the same event again in a later one.",
)
TOO_LARGE: Final = Refusal(
    "too_large_for_key",
    "The event alone is more than an API key may report by itself in a minute; send it with an ingest token.",
)
TAKE_SQL: Final = f"""
INSERT INTO metering_keyminute AS used (api_key_id, minute, num_events, num_units)
VALUES (%s, date_trunc('minute', clock_timestamp()), %s, %s)
ON CONFLICT (api_key_id) DO UPDATE SET
    minute = excluded.minute,
    num_events = excluded.num_events
        + CASE WHEN used.minute = excluded.minute THEN least(used.num_events, {NO_LIMIT}) ELSE 0 END,
    num_units = excluded.num_units
        + CASE WHEN used.minute = excluded.minute THEN least(used.num_units, {NO_LIMIT}) ELSE 0 END
RETURNING num_events, num_units
"""
_one_each: Final = attrgetter("input_tokens", "output_tokens", "characters")
_thousand_each: Final = attrgetter("num_model_requests", "images", "seconds", "num_sessions")
Amount = tuple[int, int]
"""So many events and units."""


@dataclass(slots=True)
class Purse:
    """What a key may still report in this minute without another question; `may_ask` ends when the limit is reached."""

    left: Amount
    unasked: Amount
    """What was given before anybody was asked: to be counted with the first question."""
    may_ask: bool = True


@dataclass(slots=True)
class Purses:
    """Those of all keys that report in this minute, in this process."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    minute: int = 0
    by_key: dict[int, Purse] = field(default_factory=dict)

    def forget(self) -> None:
        self.by_key.clear()

    def of(self, api_key_id: int) -> Purse:
        minute = int(time.time() // 60)
        with self.lock:
            if minute != self.minute:
                self.minute, self.by_key = minute, {}
            share = _share(_limit())
            return self.by_key.setdefault(api_key_id, Purse(left=share, unasked=share))

    def take(self, purse: Purse, wanted: Amount) -> Amount:
        """As much of what is wanted as is left, which is then gone."""
        with self.lock:
            taken = _at_most(purse.left, wanted)
            purse.left = _minus(purse.left, taken)
        return taken

    def put(self, purse: Purse, amount: Amount) -> None:
        with self.lock:
            purse.left = _plus(purse.left, amount)


purses: Final = Purses()


def store_own_usage(events: Sequence[Item], *, api_key_id: int, secret_digest: bytes) -> list[Outcome]:
    """`ingest.store` for a key that reports its own usage: the first events up to its limit are taken, the others refused.

    What is not stored, because it was stored already or is refused for another reason, does not count.
    """
    units = [_units(event) for event in events]
    purse = purses.of(api_key_id)
    most = _limit()[1]
    granted = _granted(purse, api_key_id, (len(events), sum(cost for cost in units if cost <= most)))
    accepted = (0, 0)
    try:
        outcomes = ingest.store(_limited(events, units, granted), secret_digest=secret_digest)
        accepted = _accepted(outcomes, units)
    finally:
        purses.put(purse, _minus(granted, accepted))
    return outcomes


def _units(event: Item) -> int:
    """What an event counts. Corrections are not for API keys, and count nothing."""
    if isinstance(event, Correction | Refusal):
        return 0
    tokens: int = sum(_one_each(event)) + UNITS_EACH * sum(_thousand_each(event))
    return tokens + event.usage_bytes // BYTES_IN_UNIT


def _granted(purse: Purse, api_key_id: int, wanted: Amount) -> Amount:
    granted = purses.take(purse, wanted)
    if granted == wanted or not purse.may_ask:
        return granted
    limit = _limit()
    missing = _minus(wanted, granted)
    asked = _at_most(limit, _at_least(missing, _share(limit)))
    given = _ask(purse, api_key_id, asked, limit)
    used = _at_most(given, missing)
    purses.put(purse, _minus(given, used))
    return _plus(granted, used)


def _ask(purse: Purse, api_key_id: int, asked: Amount, limit: Amount) -> Amount:
    """So much of what is asked for as is left of the limit for all processes."""
    unasked, purse.unasked = purse.unasked, (0, 0)
    counted = _plus(asked, unasked)
    with connection.cursor() as cursor:
        cursor.execute(TAKE_SQL, [api_key_id, *counted])
        used = cursor.fetchone()
    given = _at_least((0, 0), _minus(asked, _at_least((0, 0), _minus(used, limit))))
    purse.may_ask = given == asked
    return given


def _limited(events: Sequence[Item], units: Sequence[int], granted: Amount) -> Sequence[Item]:
    """The events, with a refusal in the place of each that what is granted does not cover. What is wrong with an event by
    itself is told first."""
    num_events, num_units = granted
    if num_events >= len(events) and num_units >= sum(units):
        return events
    limited: list[Item] = []
    for event, cost in zip(events, units, strict=True):
        if num_events and cost <= num_units:
            num_events, num_units = num_events - 1, num_units - cost
            limited.append(event)
        else:
            limited.append(event if isinstance(event, Refusal) else _refusal(event, cost))
    return limited


def _refusal(event: PlainEvent | Event | Correction, cost: int) -> Item:
    if isinstance(check(event), Refusal):
        return event
    return TOO_LARGE if cost > _limit()[1] else OVER_THE_LIMIT


def _accepted(outcomes: Sequence[Outcome], units: Sequence[int]) -> Amount:
    num_accepted = outcomes.count(ACCEPTED)
    if num_accepted == len(outcomes):
        return num_accepted, sum(units)
    return num_accepted, sum(cost for outcome, cost in zip(outcomes, units, strict=True) if outcome == ACCEPTED)


def _limit() -> Amount:
    wanted = settings.API_KEY_EVENTS_PER_MINUTE, settings.API_KEY_UNITS_PER_MINUTE
    return _at_most((wanted[0] or NO_LIMIT, wanted[1] or NO_LIMIT), (NO_LIMIT, NO_LIMIT))


def _share(limit: Amount) -> Amount:
    return limit[0] // SHARES, limit[1] // SHARES


def _plus(one: Amount, other: Amount) -> Amount:
    return one[0] + other[0], one[1] + other[1]


def _minus(one: Amount, other: Amount) -> Amount:
    return one[0] - other[0], one[1] - other[1]


def _at_most(one: Amount, other: Amount) -> Amount:
    return min(one[0], other[0]), min(one[1], other[1])


def _at_least(one: Amount, other: Amount) -> Amount:
    return max(one[0], other[0]), max(one[1], other[1])
