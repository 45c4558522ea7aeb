"""A dictionary of words that others use: each is stored once, up to a bound, and has a number. Each organization may bring some.

Rows are never changed or deleted, so what a process remembers of them stays true. It remembers stored words alone, never those
over the bound: of these there is no end.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.db import connection, transaction

from metering.dictionaries.shares import share

OVER_THE_BOUND: Final = 99
"""The number of all such words. Above it are the numbers of words."""
WORDS_LOCK: Final = 0x5553_4147_4511  # an advisory lock's key: any number that nothing else here uses


class Known(NamedTuple):
    """What a process knows: numbers by words and words by numbers. If it `is_all`, there is no room for others."""

    numbers: Mapping[str, int]
    words: Mapping[int, str]
    is_all: bool


Row = tuple[str, int, int | None]
"""A word, its number, and the organization that brought it."""


@dataclass(slots=True)
class Dictionary:
    """The rows of `table` whose `columns` have these values; `setting` is the name of the bound.

    Words of `free` have places of their own: nobody can use up what these need.
    """

    table: str
    setting: str
    columns: Mapping[str, int] = field(default_factory=dict)
    free: Callable[[], AbstractSet[str]] = frozenset
    _known: Known = field(default=Known({}, {}, is_all=False), init=False)

    def __len__(self) -> int:
        """How many words this process knows."""
        return len(self._known.numbers)

    def number_of(self, word: str) -> int | None:
        """OVER_THE_BOUND for a word over the bound; None for one that this process does not know."""
        known = self._known
        number = known.numbers.get(word)
        return OVER_THE_BOUND if number is None and known.is_all and word not in self.free() else number

    def word_of(self, number: int) -> str | None:
        """The word with a number, if this process knows it."""
        return self._known.words.get(number)

    def add(self, wanted: Mapping[str, AbstractSet[int]]) -> None:
        """Learn the numbers of words. Those that are new are stored, each for one of the organizations that use it, as long as
        that has brought fewer than it may. Not to be called inside a transaction."""
        if all(self.number_of(word) is not None for word in wanted):
            return
        if self._fitting(self._learn(), wanted):
            self._store(wanted)
            self._learn()

    def forget(self) -> None:
        """Drop this process's memory (for tests, whose transactions are rolled back)."""
        self._known = Known({}, {}, is_all=False)

    def _learn(self) -> list[Row]:
        """Remember all that is stored. It comes from one statement, so whoever knows that there is no room knows all words."""
        with connection.cursor() as cursor:
            rows = self._read(cursor)
        numbers = {**self._known.numbers, **{word: number for word, number, _ in rows}}
        words = {number: word for word, number in numbers.items()}
        self._known = Known(numbers, words, is_all=len(self._counted(rows)) >= getattr(settings, self.setting))
        return rows

    def _store(self, wanted: Mapping[str, AbstractSet[int]]) -> None:
        """Processes wait for each other here: then the bounds hold exactly, and all agree on what is over them."""
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [WORDS_LOCK])
            new = self._fitting(self._read(cursor), wanted)
            cursor.execute(
                f"INSERT INTO {self.table} ({', '.join(('word', 'brought_by', *self.columns))})"
                f" SELECT {', '.join(('word', 'brought_by', *map(str, self.columns.values())))}"
                " FROM unnest(%s::text[], %s::bigint[]) AS new (word, brought_by) ON CONFLICT DO NOTHING",
                [list(new), list(new.values())],
            )

    def _fitting(self, rows: Sequence[Row], wanted: Mapping[str, AbstractSet[int]]) -> dict[str, int | None]:
        """Those of the words that are not stored and for which there is room, with the organization that brings each."""
        free = self.free()
        stored, counted = {word for word, *_ in rows}, self._counted(rows)
        new = {word: organization_ids for word, organization_ids in wanted.items() if word not in stored}
        brought = Counter(organization_id for organization_id in counted if organization_id is not None)
        others = {word: organization_ids for word, organization_ids in new.items() if word not in free}
        shared = share(others, brought, settings.WORDS_PER_ORGANIZATION)
        num_places = max(getattr(settings, self.setting) - len(counted), 0)
        return {**dict.fromkeys(new.keys() & free), **dict(islice(shared.items(), num_places))}

    def _counted(self, rows: Iterable[Row]) -> list[int | None]:
        """Who brought each of the words that count towards the bound."""
        free = self.free()
        return [organization_id for word, _, organization_id in rows if word not in free]

    def _read(self, cursor: Any) -> list[Row]:
        where = " AND ".join(f"{name} = {value}" for name, value in self.columns.items()) or "true"
        cursor.execute(f"SELECT word, id, brought_by FROM {self.table} WHERE {where}")
        rows: list[Row] = cursor.fetchall()
        return rows
