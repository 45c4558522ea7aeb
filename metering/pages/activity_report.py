"""The Activity report: daily rows and Top lists → charts and lists, ready to be drawn."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from accounts.access import Access
from metering.display import (
    axis,
    byte_axis,
    byte_size,
    change,
    compact,
    duration,
    duration_axis,
    duration_base,
    exact,
    plural,
)
from metering.pages.addresses import Address
from metering.pages.axis import axis_of
from metering.pages.figures import Series, Unit, figure_script
from metering.pages.filter_form import FilterForm
from metering.pages.lists import TOP_LISTS, ListPen, TopList, list_page_of
from metering.pages.palette import OTHER_COLOR, color, colors_of
from metering.pages.parts import (
    GROUP_LABELS,
    Chart,
    Choice,
    ComparedDays,
    Comparison,
    Entry,
    ListPage,
    compared_days,
    filter_address,
    list_address,
    numbers_of,
)
from metering.usage.names import Names, names_of
from metering.usage.queries import SHOWN_PARTS, Group, Step
from metering.usage.rankings import TopRow, top_lists
from metering.usage.sums import Activity, PartSums, activity_of, has_any_usage, total

TOKEN_KINDS: Final = (
    ("Context", "context_tokens", color(0)),
    ("Cached", "cached_tokens", color(4)),
    ("Generated", "generated_tokens", color(1)),
)
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
    Capability(
        "seconds", "Audio transcription", duration, Unit(lambda n: f"{exact(n)} s", duration_axis, duration_base)
    ),
    Capability("characters", "Speech characters", compact),
    Capability("usage_bytes", "Vector store storage", byte_size, Unit(lambda n: f"{exact(n)} B", byte_axis)),
    Capability("sessions", "Code interpreter sessions"),
    Capability("searches", "Searches"),
)


@dataclass(frozen=True)
class ActivityReport:
    """Everything under the bar: charts and Top lists, or one page of a whole list.

    `is_new` is true for organizations that never used anything.
    """

    charts: tuple[Chart, ...] = ()
    lists: tuple[TopList, ...] = ()
    list_page: ListPage | None = None
    is_new: bool = False


def activity_report(access: Access, form: FilterForm, address: Address, now: datetime) -> ActivityReport:
    """The report of the form's month, day or hour."""
    if form.listed is not None:
        return ActivityReport(list_page=list_page_of(access, form, address, form.listed))
    compared = compared_days(form.month, now.date()) if form.query.step == Step.DAY else None
    activity = activity_of(form.query, compared.before if compared else None)
    if not activity.rows:
        return ActivityReport(is_new=not has_any_usage(access))
    top = top_lists(form.query, form.rank)
    names = _names(access, form.query.group, activity, top)
    pen = _Pen(form, address, activity, names, now, compared=compared)
    list_pen = ListPen(form, address, names)
    lists = TOP_LISTS if len(access.organizations) > 1 else (TOP_LISTS[0], TOP_LISTS[2])
    return ActivityReport(
        charts=tuple(pen.chart(item) for item in CAPABILITIES if activity.num_parts[item.quantity]),
        lists=tuple(list_pen.top_list(group, title, top) for group, title in lists),
    )


def _names(access: Access, group: Group, activity: Activity, top: Sequence[TopRow]) -> Names:
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

    def __init__(  # noqa: PLR0913 - what the charts have in common
        self,
        form: FilterForm,
        address: Address,
        activity: Activity,
        names: Names,
        now: datetime,
        *,
        compared: ComparedDays | None,
    ) -> None:
        self._form = form
        self._group = form.query.group
        self._address = address
        self._activity = activity
        self._names = names
        self._axis = axis_of(form.query, now, (row.slot for row in activity.rows))
        self._compared = compared
        self._by_part: dict[int | None, list[PartSums]] = {}
        for row in activity.rows:
            self._by_part.setdefault(row.part, []).append(row)
        self._colors = colors_of(self._group, (part for part in self._by_part if part is not None), names)

    def chart(self, capability: Capability) -> Chart:
        by_kind = capability.quantity == "tokens" and not self._form.tokens_by_group
        series, entries = self._kinds() if by_kind else self._parts(capability)
        return Chart(
            id=capability.quantity.replace("_", "-"),
            title=capability.title,
            total=capability.total_text(self._activity.total(capability.quantity)),
            exact_total=capability.unit.text(self._activity.total(capability.quantity)),
            figure=figure_script(self._axis, series, capability.unit),
            numbers=numbers_of(self._axis, series, capability.unit, self._address),
            entries=entries,
            choices=self._token_choices() if capability.quantity == "tokens" else (),
            comparison=self._comparison(capability.quantity),
        )

    def _comparison(self, quantity: str) -> Comparison | None:
        """None where the month before has nothing to compare with."""
        if self._compared is None:
            return None
        whole = [row for row in self._activity.rows if row.slot in self._compared.days]
        percent = change(total(whole, quantity), self._activity.compared.get(quantity, 0))
        return Comparison(percent, self._compared.label) if percent else None

    def _kinds(self) -> tuple[list[Series], tuple[Entry, ...]]:
        """Tokens stacked by kind."""
        series = [Series(label, token, self._values(quantity, self._by_part)) for label, quantity, token in TOKEN_KINDS]
        sums = [self._activity.total(quantity) for _, quantity, _ in TOKEN_KINDS]
        entries = (
            Entry(label, token, compact(tokens), "")
            for (label, _, token), tokens in zip(TOKEN_KINDS, sums, strict=True)
        )
        return series, tuple(entries)

    def _parts(self, capability: Capability) -> tuple[list[Series], tuple[Entry, ...]]:
        """A quantity stacked by the parts that have most of it, and the rest as Other."""
        quantity = capability.quantity
        sums = {part: total(rows, quantity) for part, rows in self._by_part.items()}
        with_bars = (part for part, rows in self._by_part.items() if any(row.quantities[quantity] for row in rows))
        largest = sorted((part for part in with_bars if part is not None), key=lambda part: (-sums[part], part))
        shown = largest[:SHOWN_PARTS]
        labels = {part: self._names.of(self._group, part).name for part in shown}
        addresses = {part: filter_address(self._address, self._group, part, self._names) for part in shown}
        series = [
            Series(labels[part], self._colors[part], self._values(quantity, [part]), addresses[part]) for part in shown
        ]
        entries = [
            Entry(labels[part], self._colors[part], capability.total_text(sums[part]), addresses[part])
            for part in shown
        ]
        num_others = self._activity.num_parts[quantity] - len(shown)
        if num_others > 0:
            others = set(self._by_part) - set(shown)
            label = f"Other, {exact(num_others)} {plural(GROUP_LABELS[self._group], num_others)}"
            all_of_them = list_address(self._address, self._group)
            series.append(Series("Other", OTHER_COLOR, self._values(quantity, others), all_of_them))
            entries.append(
                Entry(label, OTHER_COLOR, capability.total_text(sum(sums[part] for part in others)), all_of_them)
            )
        return series, tuple(entries)

    def _values(self, quantity: str, parts: Iterable[int | None]) -> tuple[int, ...]:
        """The sum of these parts per bar."""
        sums = dict.fromkeys(self._axis.begun, 0)
        for row in (row for part in parts for row in self._by_part[part] if row.slot in sums):
            sums[row.slot] += row.quantities[quantity]
        return tuple(sums.values())

    def _token_choices(self) -> tuple[Choice, ...]:
        by_group = self._form.tokens_by_group
        return (
            Choice("Kind", str(self._address.setting("tokens", "")), not by_group),
            Choice(GROUP_LABELS[self._group], str(self._address.setting("tokens", "group")), by_group),
        )
