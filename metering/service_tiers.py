"""Service tiers by number: those that prices know, and the words of providers that nobody has named before.

A word that is new is stored as an unknown model is: its usage counts, is shown under the word, and has no price from the
default list. There are bounds on how many words the installation keeps, and on how many of them an organization may bring;
usage of further ones is of the tier “other”.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from django.db import connection

from metering.dictionaries.words import OVER_THE_BOUND, Dictionary
from metering.measures import SERVICE_TIERS, ServiceTier

OTHER: Final = OVER_THE_BOUND
"""The number of all words over the bound. Above it are the numbers of words, below it those of ServiceTier."""
BUILT_IN: Final = {**{tier.value: str(tier.label) for tier in ServiceTier}, OTHER: "other"}
MAX_LENGTH: Final = 40
NAME_SQL: Final = "(SELECT word FROM metering_servicetierword AS tier WHERE tier.id = {number})"
"""The SQL of the word with a number that is not built in."""
STORED: Final = Dictionary("metering_servicetierword", setting="MAX_SERVICE_TIER_WORDS")


def number_of(word: str) -> int | None:
    """The number of a tier as events name it; None for a word that this process does not know."""
    known = SERVICE_TIERS.get(word) or SERVICE_TIERS.get(word.lower())
    return int(known) if known else STORED.number_of(word)


def add(wanted: Mapping[str, AbstractSet[int]]) -> None:
    """Learn the numbers of words, which are stored where they are new and one of their organizations may bring more. Not to be
    called inside a transaction."""
    STORED.add({word: organization_ids for word, organization_ids in wanted.items() if number_of(word) is None})


def names() -> Mapping[int, str]:
    """Every tier's name, by its number."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, word FROM metering_servicetierword ORDER BY id")
        return {**BUILT_IN, **dict(cursor.fetchall())}


def words_of(number: int) -> list[str]:
    """What an event may say to mean this tier, as far as this process knows; nothing for OTHER, which all else means."""
    built_in = [word for word, tier in SERVICE_TIERS.items() if tier == number]
    stored = STORED.word_of(number)
    return built_in if stored is None else [stored]


def forget() -> None:
    """Drop this process's memory (for tests, whose transactions are rolled back)."""
    STORED.forget()
