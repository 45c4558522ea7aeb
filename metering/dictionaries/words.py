"""A dictionary of words that others use: each is stored once, up to a bound, and has a number.

Rows are never changed or deleted, so what a process remembers of them stays true. It remembers stored words alone, never those
over the bound: of these there is no end.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from django.conf import settings
from django.db import connection, transaction

OVER_THE_BOUND: Final = 99
"""The number of all such words. Above it are the numbers of words."""
WORDS_LOCK: Final = 0x5553_4147_4511  # an advisory lock's key: any number that nothing else here uses


class Known(NamedTuple):
    """What a process knows: numbers by words and words by numbers. If it `is_all`, there is no room for others."""

    numbers: Mapping[str, int]
    words: Mapping[int, str]
    is_all: bool


@dataclass(slots=True)
class Dictionary:
    """The rows of `table` whose `columns` have these values; `setting` is the name of the bound."""

    table: str
    setting: str
    columns: Mapping[str, int] = field(default_factory=dict)
    _known: Known = field(default=Known({}, {}, is_all=False), init=False)

    def __len__(self) -> int:
        """How many words this process knows."""
        return len(self._known.numbers)

    def number_of(self, word: str) -> int | None:
        """OVER_THE_BOUND for a word over the bound; None for one that this process does not know."""
        known = self._known
        return known.numbers.get(word, OVER_THE_BOUND if known.is_all else None)

    def word_of(self, number: int) -> str | None:
        """The word with a number, if this process knows it."""
        return self._known.words.get(number)

    def add(self, words: Iterable[str]) -> None:
        """Learn the numbers of these words, which are stored where they are new. Not to be called inside a transaction."""
        wanted = set(words)
        if self._has_unknown(wanted):
            self._learn()
        if self._has_unknown(wanted):
            self._store(sorted(wanted))
            self._learn()

    def forget(self) -> None:
        """Drop this process's memory (for tests, whose transactions are rolled back)."""
        self._known = Known({}, {}, is_all=False)

    def _has_unknown(self, words: Iterable[str]) -> bool:
        return any(self.number_of(word) is None for word in words)

    def _learn(self) -> None:
        """Remember all that is stored. It comes from one statement, so whoever knows that there is no room knows all words."""
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT word, id FROM {self._rows()}")
            stored = dict(cursor.fetchall())
        numbers = {**self._known.numbers, **stored}
        words = {number: word for word, number in numbers.items()}
        self._known = Known(numbers, words, is_all=len(stored) >= getattr(settings, self.setting))

    def _store(self, words: list[str]) -> None:
        """Processes wait for each other here: then the bound holds exactly, and all agree on what is over it."""
        names = "".join(f", {name}" for name in self.columns)
        values = "".join(f", {value}" for value in self.columns.values())
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [WORDS_LOCK])
            cursor.execute(
                f"INSERT INTO {self.table} (word{names}) SELECT word{values} FROM unnest(%s::text[]) AS new (word)"
                f" WHERE word NOT IN (SELECT word FROM {self._rows()}) ORDER BY word"
                f" LIMIT greatest(%s - (SELECT count(*) FROM {self._rows()}), 0) ON CONFLICT DO NOTHING",
                [words, getattr(settings, self.setting)],
            )

    def _rows(self) -> str:
        """The rows of the table, as a FROM clause has them."""
        if not self.columns:
            return self.table
        return f"{self.table} WHERE {' AND '.join(f'{name} = {value}' for name, value in self.columns.items())}"
