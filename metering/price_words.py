"""What a price depends on beside model, type and tier, by number: the provider, the speed and the region of a request.

They are words of others. One that is new is stored, as a service tier's is (`metering.service_tiers`), in small letters. There
are bounds on how many of a kind the installation keeps, and on how many of them an organization may bring; usage of further ones
is of “other”. Providers that the default price list knows are beside the bounds: nobody can take their places.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from django.db import connection, models

from metering.dictionaries import providers
from metering.dictionaries.words import OVER_THE_BOUND, Dictionary


class Dimension(models.IntegerChoices):
    """A kind of word. In events, SKUs and prices it has this name."""

    PROVIDER = 1, "provider"
    SPEED = 2, "speed"
    REGION = 3, "region"


Words = tuple[Dimension, str]
"""A word and what it says."""
DIMENSIONS: Final = tuple(dimension.label for dimension in Dimension)
NOT_SAID: Final = 0
OTHER: Final = OVER_THE_BOUND
"""The number of all words over the bound. Above it are the numbers of words."""
FAST: Final = 1
"""The number of the speed that the default price list knows."""
BUILT_IN: Final = {FAST: "fast", OTHER: "other"}
MAX_LENGTH: Final = 40
ORDINARY: Final = {Dimension.SPEED: frozenset({"standard", "default", "normal"})}
"""Words that say the same as none."""
NAME_SQL: Final = "(SELECT word FROM metering_priceword AS named WHERE named.id = {number})"
"""The SQL of the word with a number that is not built in; null where nothing was said."""

STORED: Final = {
    dimension: Dictionary(
        "metering_priceword",
        setting="MAX_PRICE_WORDS",
        columns={"dimension": dimension.value},
        free=providers.known_names if dimension == Dimension.PROVIDER else frozenset,
    )
    for dimension in Dimension
}


def number_of(dimension: Dimension, word: str) -> int | None:
    """The number of a word as events give it; None for one that this process does not know."""
    folded = word.lower()
    if not folded or folded in ORDINARY.get(dimension, ()):
        return NOT_SAID
    return FAST if (dimension, folded) == (Dimension.SPEED, BUILT_IN[FAST]) else STORED[dimension].number_of(folded)


def add(wanted: Mapping[Words, AbstractSet[int]]) -> None:
    """Learn the numbers of words in small letters, which are stored where they are new and one of their organizations may bring
    more. Not to be called inside a transaction."""
    new = {said: organization_ids for said, organization_ids in wanted.items() if number_of(*said) is None}
    for dimension, stored in STORED.items():
        stored.add({word: organization_ids for (of, word), organization_ids in new.items() if of == dimension})


def names(dimension: Dimension | None = None) -> Mapping[int, str]:
    """Every word of the dimension, or of all, by its number."""
    built_in = {
        number: word for number, word in BUILT_IN.items() if number != FAST or dimension in (None, Dimension.SPEED)
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, word FROM metering_priceword WHERE dimension = %(of)s OR %(of)s IS NULL ORDER BY word",
            {"of": dimension},
        )
        return {**built_in, **dict(cursor.fetchall())}


def described(of: Any, words: Mapping[int, str]) -> list[str]:
    """'provider azure', 'speed fast' …: what of these a price is for, if it is for one of them alone."""
    said = {name: getattr(of, name) for name in DIMENSIONS}
    return [f"{name} {words.get(number, number)}" for name, number in said.items() if number is not None]


def words_of(dimension: Dimension, number: int) -> list[str | None]:
    """What an event may say to mean this number, as far as this process knows; None is nothing. No words for OTHER, which all
    else means."""
    if number == NOT_SAID:
        return [None]
    word = STORED[dimension].word_of(number)
    return [] if word is None else [word]


def forget() -> None:
    """Drop this process's memory (for tests, whose transactions are rolled back)."""
    for stored in STORED.values():
        stored.forget()
