"""What a price depends on beside model, type and tier, by number: the provider, the speed and the region of a request.

They are words of others. One that is new is stored, as a service tier's is (`metering.service_tiers`), in small letters. There is
a bound on how many of a kind the installation keeps; usage of further ones is of “other”.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.conf import settings
from django.db import connection, models


class Dimension(models.IntegerChoices):
    """A kind of word. In events, SKUs and prices it has this name."""

    PROVIDER = 1, "provider"
    SPEED = 2, "speed"
    REGION = 3, "region"


Words = tuple[Dimension, str]
"""A word and what it says."""
DIMENSIONS: Final = tuple(dimension.label for dimension in Dimension)
NOT_SAID: Final = 0
OTHER: Final = 99
"""The number of all words over the bound. Above it are the numbers of words."""
FAST: Final = 1
"""The number of the speed that the default price list knows."""
BUILT_IN: Final = {FAST: "fast", OTHER: "other"}
MAX_LENGTH: Final = 40
ORDINARY: Final = {Dimension.SPEED: frozenset({"standard", "default", "normal"})}
"""Words that say the same as none."""
NAME_SQL: Final = "(SELECT word FROM metering_priceword AS named WHERE named.id = {number})"
"""The SQL of the word with a number that is not built in; null where nothing was said."""

_numbers: dict[Words, int] = {}


def number_of(dimension: Dimension, word: str) -> int | None:
    """The number of a word as events give it; None for one that this process does not know."""
    folded = word.lower()
    if not folded or folded in ORDINARY.get(dimension, ()):
        return NOT_SAID
    return FAST if (dimension, folded) == (Dimension.SPEED, BUILT_IN[FAST]) else _numbers.get((dimension, folded))


def add(words: Iterable[Words]) -> None:
    """Remember the numbers of these words, which are stored where they are new. Not to be called inside a transaction."""
    wanted = sorted({(dimension, word.lower()) for dimension, word in words if number_of(dimension, word) is None})
    for dimension in Dimension:
        if texts := [word for of, word in wanted if of == dimension]:
            _add(dimension, texts)


def _add(dimension: Dimension, words: list[str]) -> None:
    of_dimension = "(SELECT word FROM metering_priceword WHERE dimension = %(dimension)s)"
    values: dict[str, Any] = {"words": words, "dimension": dimension.value, "most": settings.MAX_PRICE_WORDS}
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO metering_priceword (dimension, word)"
            " SELECT %(dimension)s, word FROM unnest(%(words)s::text[]) AS new (word)"
            f" WHERE word NOT IN {of_dimension} ORDER BY word"
            f" LIMIT greatest(%(most)s - (SELECT count(*) FROM {of_dimension} AS known), 0) ON CONFLICT DO NOTHING",
            values,
        )
        cursor.execute(
            "SELECT word, id FROM metering_priceword WHERE dimension = %(dimension)s AND word = ANY (%(words)s)", values
        )
        stored = dict(cursor.fetchall())
    _numbers.update({(dimension, word): stored.get(word, OTHER) for word in words})


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
    """What an event may say to mean this number, as far as this process knows; None is nothing."""
    if number == NOT_SAID:
        return [None]
    return [word for (of, word), known in _numbers.items() if of == dimension and known == number]


def forget() -> None:
    """Drop this process's memory (for tests, whose transactions are rolled back)."""
    _numbers.clear()
