"""The Activity report: daily rows and Top lists → charts and lists, ready to be drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from metering.display import (
    axis,
    byte_axis,
    byte_size,
    compact,
    duration,
    duration_axis,
    duration_base,
    exact,
)
from metering.pages.charts import (
    Chart,
    ComparedDays,
    Comparison,
    Entry,
    chart_of,
    days_to_compare,
    entries_of,
    looks_of,
    series_of,
)
from metering.pages.figures import Series, Unit
from metering.pages.lists import ListPage, ListPen, TopList, all_parts, top_groups
from metering.pages.palette import color
from metering.pages.parts import Asked, Choice
from metering.usage.breakdown import Number
from metering.usage.groupings import Grouping
from metering.usage.names import Names
from metering.usage.rankings import TopRow, top_lists
from metering.usage.sums import Activity, activity_of, tells_top

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
    total_text: Callable[[Number], str] = exact
    unit: Unit = WHOLE_NUMBERS


CAPABILITIES: Final = (
    Capability("requests", "API requests"),
    Capability("tokens", "Tokens", compact),
    Capability("reasoning_tokens", "Reasoning tokens", compact),
    Capability("images", "Images"),
    Capability(
        "seconds",
        "Audio transcription",
        duration,
        Unit(lambda n: f"{exact(n)} s", duration_axis, duration_base, duration),
    ),
    Capability("characters", "Speech characters", compact),
    Capability(
        "usage_bytes", "Vector store storage", byte_size, Unit(lambda n: f"{exact(n)} B", byte_axis, hover=byte_size)
    ),
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


def activity_report(asked: Asked) -> ActivityReport:
    """The report of the form's month, day or hour."""
    if asked.form.listed is not None:
        return ActivityReport(list_page=all_parts(asked, asked.form.listed))
    compared, groups, rank = days_to_compare(asked), top_groups(asked.form), asked.form.rank
    known = {asked.group} if tells_top(asked.query) else set()
    activity = activity_of(asked.query, compared.before if compared else None, top_by=rank if known else None)
    if not activity.rows:
        return ActivityReport(is_new=asked.is_new())
    others = [group for group in groups if not group.is_told_by_keys and group not in known]
    top = (*activity.top, *top_lists(asked.query, rank, others))
    names = _names(asked, activity, top)
    pen = _Pen(asked, activity, names, compared)
    list_pen = ListPen(asked, names)
    return ActivityReport(
        charts=tuple(pen.chart(item) for item in CAPABILITIES if activity.num_parts[item.quantity]),
        lists=tuple(list_pen.top_list(group, top) for group in groups),
    )


def _names(asked: Asked, activity: Activity, top: Sequence[TopRow]) -> Names:
    wanted: dict[Grouping, set[int]] = {asked.group: {row.part for row in activity.rows if row.part is not None}}
    for row in top:
        wanted.setdefault(row.group, set()).add(row.id)
    return asked.names(wanted)


class _Pen:
    """Draws the charts of one report; holds what they have in common."""

    def __init__(self, asked: Asked, activity: Activity, names: Names, compared: ComparedDays | None) -> None:
        self._form = asked.form
        self._group = asked.group
        self._address = asked.address
        self._activity = activity
        self._names = names
        self._axis = asked.axis(row.slot for row in activity.rows)
        self._compared = compared

    def chart(self, capability: Capability) -> Chart:
        by_kind = capability.quantity == "tokens" and not self._form.tokens_by_group
        series, entries = self._kinds() if by_kind else self._parts(capability)
        total = self._activity.total(capability.quantity)
        return chart_of(
            self._axis,
            series,
            capability.unit,
            self._address,
            id=capability.quantity.replace("_", "-"),
            title=capability.title,
            total=capability.total_text(total),
            exact_total=capability.unit.text(total),
            entries=entries,
            choices=self._token_choices() if capability.quantity == "tokens" else (),
            comparison=self._comparison(capability.quantity),
        )

    def _comparison(self, quantity: str) -> Comparison | None:
        if self._compared is None:
            return None
        whole = sum(row.quantities[quantity] for row in self._activity.rows if row.slot in self._compared.days)
        return self._compared.comparison(whole, self._activity.compared.get(quantity, 0))

    def _kinds(self) -> tuple[tuple[Series, ...], tuple[Entry, ...]]:
        """Tokens stacked by kind."""
        series = tuple(
            Series(label, token, self._activity.bars(quantity, self._axis.begun))
            for label, quantity, token in TOKEN_KINDS
        )
        return series, tuple(Entry(item.name, item.color, compact(sum(item.values)), "") for item in series)

    def _parts(self, capability: Capability) -> tuple[tuple[Series, ...], tuple[Entry, ...]]:
        """A quantity stacked by the parts that have most of it, and the rest as Other."""
        breakdown = self._activity.breakdown(capability.quantity, self._group, self._axis.begun)
        looks = looks_of(breakdown, self._names, self._address)
        return series_of(breakdown, looks), entries_of(breakdown, looks, capability.total_text)

    def _token_choices(self) -> tuple[Choice, ...]:
        by_group = self._form.tokens_by_group
        return (
            Choice("Kind", str(self._address.setting("tokens", "")), not by_group),
            Choice(self._group.label, str(self._address.setting("tokens", "group")), by_group),
        )
