"""Long lists, page by page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import QuerySet

PAGE_ROWS: Final = 100
MAX_WORDS: Final = 200
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

    `name` is the parameter of a second list on a page. `index`: the page with this row, counted from 0, where none is asked for.
    """
    asked = query.get(name) if index is None or name in query else index // PAGE_ROWS + 1
    page = Paginator(rows, PAGE_ROWS).get_page(asked)
    return ListPage(
        rows=tuple(page.object_list),
        total=page.paginator.count,
        previous_address=_address(query, name, page.previous_page_number()) if page.has_previous() else "",
        next_address=_address(query, name, page.next_page_number()) if page.has_next() else "",
        place=f"Page {page.number} of {page.paginator.num_pages}" if page.has_other_pages() else "",
    )


def words_of(query: Mapping[str, str]) -> str:
    """What a list is searched for by `q` of the query string."""
    return text_of(query, "q").strip()[:MAX_WORDS]


def text_of(query: Mapping[str, str], name: str) -> str:
    """What a parameter of the query string says, to be looked for in the database, which takes no NUL."""
    return query.get(name, "").replace("\0", "")


def _address(query: Mapping[str, str], name: str, number: int) -> str:
    kept = {other: value for other, value in query.items() if other != name and value}
    return f"?{urlencode({**kept, name: str(number)})}"
