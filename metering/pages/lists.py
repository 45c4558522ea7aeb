"""Lists of who used what: the Top lists beside the charts, and the pages of all users, keys, models or organizations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from accounts.pages.words import counted, plural
from metering.display import compact, exact
from metering.pages.addresses import Address, Parameters
from metering.pages.filter_form import FilterForm
from metering.pages.palette import UNTRACKED_COLOR, color
from metering.pages.parts import Asked, Choice, filter_address, list_address
from metering.usage.groupings import API_KEY, MODEL, ORGANIZATION, PROJECT, USER, Grouping
from metering.usage.names import Names
from metering.usage.queries import Rank
from metering.usage.rankings import PAGE_ROWS, TopRow, ranking_page

COLORS: Final = {USER: color(0), ORGANIZATION: color(1), API_KEY: color(0), PROJECT: color(1), MODEL: color(2)}
"""What has a list beside the charts everywhere, and in which colour."""
COLOR_OF_VALUES: Final = color(3)


def top_groups(form: FilterForm) -> tuple[Grouping, ...]:
    """What has a list beside the charts: projects where there are some, and each attribute that is declared."""
    fixed = (group for group in COLORS if group in form.groups and (group != PROJECT or form.declared.has_projects))
    return (*fixed, *form.declared.attributes)


@dataclass(frozen=True)
class TopEntry:
    """A row of a Top list; `width` is its bar in percent of the longest."""

    name: str
    detail: str
    value: str
    width: str
    color: str
    address: str


@dataclass(frozen=True)
class TopList:
    """`all_text` leads to the whole list where it is longer than this one."""

    title: str
    entries: tuple[TopEntry, ...]
    ranks: tuple[Choice, ...] = ()
    all_text: str = ""
    all_address: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell of a list page; phones leave out what is for wide screens only."""

    text: str
    is_wide_only: bool = False


@dataclass(frozen=True)
class ListRow:
    """A row of a list page."""

    name: str
    detail: str
    address: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class ListPage:
    """One page of all users, keys, models or organizations, with a search."""

    title: str
    kind: str
    found: str
    search: str
    path: str
    hidden: Parameters
    columns: tuple[Cell, ...]
    rows: tuple[ListRow, ...]
    back_address: str
    previous_address: str
    next_address: str
    choices: tuple[Choice, ...] = ()


class ListPen:
    """Draws the Top lists of one view."""

    def __init__(self, asked: Asked, names: Names) -> None:
        self._rank = asked.form.rank
        self._ranks = rank_choices(asked)
        self._address = asked.address
        self._names = names

    def top_list(self, group: Grouping, top: Sequence[TopRow]) -> TopList:
        rows = [row for row in top if row.group == group]
        longest = max((row.value for row in rows), default=0)
        size = max((row.list_size for row in rows), default=0)
        return TopList(
            title=f"Top {plural(group.label, 2)}",
            entries=tuple(self._entry(row, longest) for row in rows),
            ranks=self._ranks if group == USER else (),
            all_text=f"All {counted(size, group.label)}" if size > len(rows) else "",
            all_address=list_address(self._address, group),
        )

    def _entry(self, row: TopRow, longest: int) -> TopEntry:
        name, value = self._names.of(row.group, row.id), row.value
        return TopEntry(
            name=name.name,
            detail=name.detail,
            value=exact(value) if self._rank == Rank.REQUESTS else compact(value),
            width=f"{max(0, value) * 1000 // max(1, longest) / 10}%",
            color=UNTRACKED_COLOR if row.group.is_of_nothing(row.id) else COLORS.get(row.group, COLOR_OF_VALUES),
            address=filter_address(self._address, row.group, row.id, self._names),
        )


def all_parts(asked: Asked, group: Grouping) -> ListPage:
    """All parts of a group by what they used, page by page."""
    rank = asked.form.rank
    found = ranking_page(asked.query, group, rank, search=asked.form.search, page=asked.form.page)
    return list_page(
        asked,
        group,
        (
            Cell("Requests", is_wide_only=rank != Rank.REQUESTS),
            Cell("Tokens", is_wide_only=rank != Rank.TOKENS),
        ),
        {row.id: (exact(row.requests), exact(row.tokens)) for row in found.rows},
        num_rows=found.num_rows,
        choices=rank_choices(asked),
    )


def list_page(  # noqa: PLR0913 - what a page of a list is made of
    asked: Asked,
    group: Grouping,
    columns: tuple[Cell, ...],
    texts: Mapping[int, Sequence[str]],
    *,
    num_rows: int,
    choices: tuple[Choice, ...] = (),
) -> ListPage:
    """The page of a list that has these texts for each of its parts, one below each column; `num_rows` are on all pages."""
    form, address = asked.form, asked.address
    names = asked.names({group: texts})
    last_page = max(1, -(-num_rows // PAGE_ROWS))
    found = f"{counted(num_rows, group.label)}{' found' if form.search else ''}"
    return ListPage(
        title=f"All {plural(group.label, 2)}",
        kind=group.label,
        found=f"{found}, page {form.page} of {last_page}" if last_page > 1 else found,
        search=form.search,
        path=address.path,
        hidden=tuple(pair for pair in address.parameters if pair[0] not in ("q", "page")),
        columns=columns,
        rows=tuple(_row(group, part, address, names, _cells(columns, own)) for part, own in texts.items()),
        back_address=str(address.without("list", "q", "page")),
        previous_address=_page_address(address, min(form.page - 1, last_page)) if form.page > 1 else "",
        next_address=_page_address(address, form.page + 1) if form.page < last_page else "",
        choices=choices,
    )


def _row(group: Grouping, part: int, address: Address, names: Names, cells: tuple[Cell, ...]) -> ListRow:
    name = names.of(group, part)
    return ListRow(name.name, name.detail, filter_address(address, group, part, names), cells)


def _cells(columns: Sequence[Cell], texts: Sequence[str]) -> tuple[Cell, ...]:
    """The cells of a row: phones leave out what they leave out of the columns."""
    return tuple(replace(column, text=text) for column, text in zip(columns, texts, strict=True))


def _page_address(address: Address, page: int) -> str:
    return str(address.setting("page", f"{page}" if page > 1 else ""))


def rank_choices(asked: Asked) -> tuple[Choice, ...]:
    """What the lists can be ranked by."""
    return tuple(
        Choice(label, str(asked.address.setting("rank", value)), asked.form.rank == rank)
        for label, value, rank in (("Requests", "", Rank.REQUESTS), ("Tokens", "tokens", Rank.TOKENS))
    )
