"""Service tiers by number: those that prices know, and the words of providers that nobody has named before.

A word that is new is stored as an unknown model is: its usage counts, is shown under the word, and has no price from the
default list. There is a bound on how many words the installation keeps; usage of further ones is of the tier “other”.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from django.conf import settings
from django.db import connection

from metering.measures import SERVICE_TIERS, ServiceTier

OTHER: Final = 99
"""The number of all words over the bound. Above it are the numbers of words, below it those of ServiceTier."""
BUILT_IN: Final = {**{tier.value: str(tier.label) for tier in ServiceTier}, OTHER: "other"}
MAX_LENGTH: Final = 40
NAME_SQL: Final = "(SELECT word FROM metering_servicetierword AS tier WHERE tier.id = {number})"
"""The SQL of the word with a number that is not built in."""

_numbers: dict[str, int] = {}


def number_of(word: str) -> int | None:
    """The number of a tier as events name it; None for a word that this process does not know."""
    known = SERVICE_TIERS.get(word) or SERVICE_TIERS.get(word.lower())
    return int(known) if known else _numbers.get(word)


def add(words: Iterable[str]) -> None:
    """Remember the numbers of these words, which are stored where they are new. Not to be called inside a transaction."""
    wanted = sorted(word for word in set(words) if number_of(word) is None)
    if not wanted:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO metering_servicetierword (word) SELECT word FROM unnest(%s::text[]) AS new (word)"
            " WHERE word NOT IN (SELECT word FROM metering_servicetierword) ORDER BY word"
            " LIMIT greatest(%s - (SELECT count(*) FROM metering_servicetierword), 0) ON CONFLICT DO NOTHING",
            [wanted, settings.MAX_SERVICE_TIER_WORDS],
        )
        cursor.execute("SELECT word, id FROM metering_servicetierword WHERE word = ANY (%s)", [wanted])
        stored = dict(cursor.fetchall())
    _numbers.update({word: stored.get(word, OTHER) for word in wanted})


def names() -> Mapping[int, str]:
    """Every tier's name, by its number."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, word FROM metering_servicetierword ORDER BY id")
        return {**BUILT_IN, **dict(cursor.fetchall())}


def words_of(number: int) -> list[str]:
    """What an event may say to mean this tier, as far as this process knows."""
    return [word for word, known in {**SERVICE_TIERS, **_numbers}.items() if known == number]


def forget() -> None:
    """Drop this process's memory (for tests, whose transactions are rolled back)."""
    _numbers.clear()
