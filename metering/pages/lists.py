"""Lists of who used what: the Top lists beside the charts, and the pages of all users, keys, models or organizations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from accounts.access import Access
from accounts.pages.words import counted, plural
from metering.display import compact, exact
from metering.pages.addresses import Address
from metering.pages.filter_form import FilterForm
from metering.pages.palette import UNTRACKED_COLOR, color
from metering.pages.parts import Cell, Choice, ListPage, ListRow, filter_address, list_address, list_frame
from metering.usage.groupings import API_KEY, ORGANIZATION, USER, Grouping
from metering.usage.names import Names, names_of
from metering.usage.queries import Rank
from metering.usage.rankings import TopRow, ranking_page

TOP_LISTS: Final = {USER: color(0), ORGANIZATION: color(1), API_KEY: color(0)}
"""What has a list beside the charts, and in which colour."""


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


class ListPen:
    """Draws the Top lists of one view."""

    def __init__(self, form: FilterForm, address: Address, names: Names) -> None:
        self._rank = form.rank
        self._ranks = rank_choices(form, address)
        self._address = address
        self._names = names

    def top_list(self, group: Grouping, top: Sequence[TopRow]) -> TopList:
        rows = [row for row in top if row.group == group]
        longest = max((row.value(self._rank) for row in rows), default=0)
        size = max((row.list_size for row in rows), default=0)
        return TopList(
            title=f"Top {plural(group.label, 2)}",
            entries=tuple(self._entry(row, longest) for row in rows),
            ranks=self._ranks if group == USER else (),
            all_text=f"All {counted(size, group.label)}" if size > len(rows) else "",
            all_address=list_address(self._address, group),
        )

    def _entry(self, row: TopRow, longest: int) -> TopEntry:
        name, value = self._names.of(row.group, row.id), row.value(self._rank)
        return TopEntry(
            name=name.name,
            detail=name.detail,
            value=exact(value) if self._rank == Rank.REQUESTS else compact(value),
            width=f"{max(0, value) * 1000 // max(1, longest) / 10}%",
            color=UNTRACKED_COLOR if row.group.is_untracked(row.id) else TOP_LISTS[row.group],
            address=filter_address(self._address, row.group, row.id, self._names),
        )


def list_page_of(access: Access, form: FilterForm, address: Address, group: Grouping) -> ListPage:
    """All parts of a group, page by page."""
    found = ranking_page(form.query, group, form.rank, search=form.search, page=form.page)
    names = names_of({group: [row.id for row in found.rows]}, access.organizations)
    rows = (
        ListRow(
            name=names.of(group, row.id).name,
            detail=names.of(group, row.id).detail,
            address=filter_address(address, group, row.id, names),
            cells=(
                Cell(exact(row.requests), is_wide_only=form.rank != Rank.REQUESTS),
                Cell(exact(row.tokens), is_wide_only=form.rank != Rank.TOKENS),
            ),
        )
        for row in found.rows
    )
    return ListPage(
        **list_frame(form, address, group, found.num_rows),
        columns=(
            Cell("Requests", is_wide_only=form.rank != Rank.REQUESTS),
            Cell("Tokens", is_wide_only=form.rank != Rank.TOKENS),
        ),
        rows=tuple(rows),
        choices=rank_choices(form, address),
    )


def rank_choices(form: FilterForm, address: Address) -> tuple[Choice, ...]:
    """What the lists can be ranked by."""
    return tuple(
        Choice(label, str(address.setting("rank", value)), form.rank == rank)
        for label, value, rank in (("Requests", "", Rank.REQUESTS), ("Tokens", "tokens", Rank.TOKENS))
    )
