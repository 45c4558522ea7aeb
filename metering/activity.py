"""The Activity report: daily rows and Top lists → charts and lists, ready to be drawn."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from accounts.access import Access
from metering.display import axis, byte_axis, byte_size, compact, duration, exact, seconds_axis
from metering.figures import Series, Unit, figure_script
from metering.forms import FilterForm
from metering.links import Address
from metering.names import Names, names_of
from metering.palette import OTHER_COLOR, UNTRACKED_COLOR, color, colors_of
from metering.queries import (
    SHOWN_PARTS,
    UNTRACKED,
    DailyActivity,
    DailyPart,
    Group,
    Rank,
    TopRow,
    daily_activity,
    has_any_usage,
    top_lists,
    total,
)
from metering.report import GROUP_LABELS, Chart, Choice, Entry, filter_address, numbers_of

TOKEN_KINDS: Final = (
    ("Context", "context_tokens", color(0)),
    ("Cached", "cached_tokens", color(4)),
    ("Generated", "generated_tokens", color(1)),
)
TOP_LISTS: Final = (
    (Group.USER, "Top users"),
    (Group.ORGANIZATION, "Top organizations"),
    (Group.API_KEY, "Top API keys"),
)
TOP_COLORS: Final = {Group.USER: color(0), Group.ORGANIZATION: color(1), Group.API_KEY: color(0)}
WHOLE_NUMBERS: Final = Unit(exact, axis)


@dataclass(frozen=True)
class Capability:
    """A quantity that has a chart of its own when there is any of it."""

    quantity: str
    title: str
    total_text: Callable[[int], str] = exact
    unit: Unit = WHOLE_NUMBERS


CAPABILITIES: Final = (
    Capability("requests", "API requests"),
    Capability("tokens", "Tokens", compact),
    Capability("images", "Images"),
    Capability("seconds", "Audio transcription", duration, Unit(lambda n: f"{exact(n)} s", seconds_axis)),
    Capability("characters", "Speech characters", compact),
    Capability("usage_bytes", "Vector store storage", byte_size, Unit(lambda n: f"{exact(n)} B", byte_axis)),
    Capability("sessions", "Code interpreter sessions"),
    Capability("searches", "Searches"),
)


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
    title: str
    entries: tuple[TopEntry, ...]
    ranks: tuple[Choice, ...] = ()


@dataclass(frozen=True)
class ActivityReport:
    """Everything under the bar. `is_new` is true for organizations that never used anything."""

    charts: tuple[Chart, ...]
    lists: tuple[TopList, ...]
    is_new: bool


def activity_report(access: Access, form: FilterForm, address: Address, *, today: date) -> ActivityReport:
    activity = daily_activity(form.query)
    if not activity.rows:
        is_new = not has_any_usage([organization.id for organization in access.organizations])
        return ActivityReport((), (), is_new)
    top = top_lists(form.query, form.rank)
    names = _names(access, form.query.group, activity, top)
    pen = _Pen(form, address, activity, names, today)
    lists = TOP_LISTS if len(access.organizations) > 1 else (TOP_LISTS[0], TOP_LISTS[2])
    return ActivityReport(
        charts=tuple(pen.chart(item) for item in CAPABILITIES if activity.num_parts[item.quantity]),
        lists=tuple(pen.top_list(group, title, top) for group, title in lists),
        is_new=False,
    )


def _names(access: Access, group: Group, activity: DailyActivity, top: Sequence[TopRow]) -> Names:
    parts = {row.part for row in activity.rows if row.part is not None}
    ids = {found: {row.id for row in top if row.group == found} for found in (Group.USER, Group.API_KEY)}
    return names_of(
        models=parts if group == Group.MODEL else (),
        users=ids[Group.USER] | (parts if group == Group.USER else set()),
        api_keys=ids[Group.API_KEY] | (parts if group == Group.API_KEY else set()),
        organizations=access.organizations,
    )


class _Pen:
    """Draws the charts and lists of one report; holds what they have in common."""

    def __init__(self, form: FilterForm, address: Address, activity: DailyActivity, names: Names, today: date) -> None:
        self._form = form
        self._group = form.query.group
        self._address = address
        self._activity = activity
        self._names = names
        self._days = list(form.month.days())
        self._past_days = [day for day in self._days if day <= today]
        self._by_part: dict[int | None, list[DailyPart]] = {}
        for row in activity.rows:
            self._by_part.setdefault(row.part, []).append(row)
        self._colors = colors_of(self._group, (part for part in self._by_part if part is not None), names)

    def chart(self, capability: Capability) -> Chart:
        by_kind = capability.quantity == "tokens" and not self._form.tokens_by_group
        series, entries = self._kinds() if by_kind else self._parts(capability)
        return Chart(
            id=capability.quantity.replace("_", "-"),
            title=capability.title,
            total=capability.total_text(total(self._activity.rows, capability.quantity)),
            figure=figure_script(self._days, series, capability.unit),
            numbers=numbers_of(self._days, series, capability.unit),
            entries=entries,
            choices=self._token_choices() if capability.quantity == "tokens" else (),
        )

    def _kinds(self) -> tuple[list[Series], tuple[Entry, ...]]:
        """Tokens stacked by kind."""
        series = [Series(label, token, self._values(quantity, self._by_part)) for label, quantity, token in TOKEN_KINDS]
        sums = [total(self._activity.rows, quantity) for _, quantity, _ in TOKEN_KINDS]
        entries = (
            Entry(label, token, compact(tokens), "")
            for (label, _, token), tokens in zip(TOKEN_KINDS, sums, strict=True)
        )
        return series, tuple(entries)

    def _parts(self, capability: Capability) -> tuple[list[Series], tuple[Entry, ...]]:
        """A quantity stacked by the parts that have most of it, and the rest as Other."""
        quantity = capability.quantity
        sums = {part: total(rows, quantity) for part, rows in self._by_part.items()}
        largest = sorted(
            (part for part in sums if part is not None and sums[part]), key=lambda part: (-sums[part], part)
        )
        shown = largest[:SHOWN_PARTS]
        labels = {part: self._names.of(self._group, part).name for part in shown}
        series = [Series(labels[part], self._colors[part], self._values(quantity, [part])) for part in shown]
        entries = [
            Entry(labels[part], self._colors[part], capability.total_text(sums[part]), self._filter_address(part))
            for part in shown
        ]
        num_others = self._activity.num_parts[quantity] - len(shown)
        if num_others > 0:
            others = set(self._by_part) - set(shown)
            label = f"Other, {num_others} {plural(GROUP_LABELS[self._group], num_others)}"
            series.append(Series("Other", OTHER_COLOR, self._values(quantity, others)))
            entries.append(Entry(label, OTHER_COLOR, capability.total_text(sum(sums[part] for part in others)), ""))
        return series, tuple(entries)

    def _filter_address(self, part: int) -> str:
        return filter_address(self._address, self._group, part, self._names)

    def _values(self, quantity: str, parts: Iterable[int | None]) -> tuple[int, ...]:
        """The sum of these parts per day, up to today."""
        sums = dict.fromkeys(self._past_days, 0)
        for row in (row for part in parts for row in self._by_part[part] if row.day in sums):
            sums[row.day] += row.quantities[quantity]
        return tuple(sums.values())

    def _token_choices(self) -> tuple[Choice, ...]:
        by_group = self._form.tokens_by_group
        return (
            Choice("Kind", str(self._address.setting("tokens", "")), not by_group),
            Choice(GROUP_LABELS[self._group], str(self._address.setting("tokens", "group")), by_group),
        )

    def top_list(self, group: Group, title: str, top: Sequence[TopRow]) -> TopList:
        rank = self._form.rank
        rows = [row for row in top if row.group == group]
        longest = max((row.value(rank) for row in rows), default=0)
        return TopList(
            title=title,
            entries=tuple(self._top_entry(row, longest) for row in rows),
            ranks=tuple(
                Choice(label, str(self._address.setting("rank", value)), rank == found)
                for label, value, found in (("Requests", "", Rank.REQUESTS), ("Tokens", "tokens", Rank.TOKENS))
            )
            if group == Group.USER
            else (),
        )

    def _top_entry(self, row: TopRow, longest: int) -> TopEntry:
        name = self._names.of(row.group, row.id)
        value = row.value(self._form.rank)
        is_untracked = row.group == Group.API_KEY and row.id == UNTRACKED
        return TopEntry(
            name=name.name,
            detail=name.detail,
            value=exact(value) if self._form.rank == Rank.REQUESTS else compact(value),
            width=f"{max(0, value) * 1000 // max(1, longest) / 10}%",
            color=UNTRACKED_COLOR if is_untracked else TOP_COLORS[row.group],
            address=filter_address(self._address, row.group, row.id, self._names),
        )


def plural(label: str, number: int) -> str:
    """'API key', 2 → 'API keys'; the first letter small unless it is an acronym."""
    word = label if label[:2].isupper() else label.lower()
    return word if number == 1 else f"{word}s"
