"""Long lists, page by page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import QuerySet

PAGE_ROWS: Final = 100
MAX_WORDS: Final = 200
MAX_DIGITS: Final = 9
NAMES: Final = ("page", "balance", "failed", "grant", "groups", "held", "invited", "old", "revoked", "webhook")
"""The parameters that ask for a page of a list: `page`, and those of the other lists of a page."""
Row = TypeVar("Row")


@dataclass(frozen=True)
class ListPage(Generic[Row]):
    """One page of a list of `total` rows, where the pages beside it are, and which one it is, where there is more than one."""

    rows: tuple[Row, ...]
    total: int
    previous_address: str
    next_address: str
    place: str


def page_of(
    rows: "QuerySet[Any, Row] | Sequence[Row]",
    query: Mapping[str, str],
    *,
    name: str = "page",
    index: int | None = None,
) -> ListPage[Row]:
    """The page that `page` of the query string asks for; the first or the last one where there is no such page.

    `name` is the parameter of a second list on a page, one of NAMES. `index`: the page with this row, counted from 0, where
    none is asked for.
    """
    assert name in NAMES, f"Forms would forget the page of a list that is not in NAMES: {name}"
    asked = query.get(name) if index is None or name in query else index // PAGE_ROWS + 1
    page = Paginator(rows, PAGE_ROWS).get_page(asked)
    return ListPage(
        rows=tuple(page.object_list),
        total=page.paginator.count,
        previous_address=_address(query, name, page.previous_page_number()) if page.has_previous() else "",
        next_address=_address(query, name, page.next_page_number()) if page.has_next() else "",
        place=f"Page {page.number} of {page.paginator.num_pages}" if page.has_other_pages() else "",
    )


def place_of(query: Mapping[str, str], **more: str) -> str:
    """Where in the lists of a page somebody is, as the end of its address: '?page=3&q=laptop', or nothing.

    It goes along with forms, which lead back to it. Of a query string that anyone can type, the numbers of pages and the
    words of the search are kept, and nothing else. `more` comes before them.
    """
    said = dict(query.items())
    numbers = {name: said[name] for name in NAMES if _is_number(said.get(name, ""))}
    words = {"q": found} if (found := words_of(said)) else {}
    kept = {**more, **numbers, **words}
    return f"?{urlencode(kept)}" if kept else ""


def words_of(query: Mapping[str, str]) -> str:
    """What a list is searched for by `q` of the query string."""
    return text_of(query, "q").strip()[:MAX_WORDS]


def text_of(query: Mapping[str, str], name: str) -> str:
    """What a parameter of the query string says, to be looked for in the database, which takes no NUL."""
    return query.get(name, "").replace("\0", "")


def _address(query: Mapping[str, str], name: str, number: int) -> str:
    kept = {other: value for other, value in query.items() if other != name and value}
    return f"?{urlencode({**kept, name: str(number)})}"


def _is_number(value: str) -> bool:
    return value.isascii() and value.isdecimal() and len(value) <= MAX_DIGITS
