"""A breakdown as both views show it: chart, line of names, numbers, and the same parts in the same colours everywhere."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from html import escape
from typing import Final

from django.utils.safestring import SafeString, mark_safe

from accounts.pages.words import counted
from accounts.periods import Period, previous_month
from metering.display import change, short_day
from metering.pages.addresses import PAGES, Address
from metering.pages.axis import HEADINGS, Axis, label
from metering.pages.figures import Series, Unit, figure_script
from metering.pages.palette import OTHER_COLOR, colors_of
from metering.pages.parts import Asked, Choice, filter_address, list_address
from metering.usage.breakdown import Breakdown, Number
from metering.usage.groupings import Grouping
from metering.usage.names import Names
from metering.usage.queries import Slot, Step

NUM_LINKS: Final = 256
"""Of the pages that are made at once."""


@dataclass(frozen=True)
class Entry:
    """One entry of the line of names above a chart."""

    label: str
    color: str
    value: str
    address: str


@dataclass(frozen=True)
class Numbers:
    """The values of a chart as a table: one row per bar that has begun, which leads to the next smaller step where there is one.

    `rows` are HTML: hundreds of cells in each chart, which would be most of what a page takes to be made from templates.
    """

    heading: str
    columns: tuple[str, ...]
    rows: SafeString


@dataclass(frozen=True)
class Comparison:
    """How whole days compare with the same days of the month before; `days` names these."""

    percent: str
    days: str


@dataclass(frozen=True)
class Chart:
    """A chart with its caption, its total, the line of names, and the same numbers as a table."""

    id: str
    title: str
    total: str
    exact_total: str
    figure: SafeString
    numbers: Numbers
    entries: tuple[Entry, ...] = ()
    choices: tuple[Choice, ...] = ()
    comparison: Comparison | None = None


@dataclass(frozen=True)
class Look:
    """How one part of a breakdown looks wherever it is named. `legend` is its name in the line above the chart."""

    name: str
    legend: str
    color: str
    address: str
    detail: str = ""


def looks_of(
    breakdown: Breakdown, names: Names, address: Address, others: Iterable[int] = ()
) -> dict[int | None, Look]:
    """The looks of the stacked parts by id, in the order of the stack, then those of the others; None is the rest."""
    group = breakdown.group
    ids = [part.id for part in breakdown.parts if part.id is not None]
    colors = colors_of(group, ids, names)
    looks: dict[int | None, Look] = {
        part: look_of(group, part, names, address, colors.get(part, OTHER_COLOR))
        for part in dict.fromkeys((*ids, *others))
    }
    return looks if breakdown.rest is None else looks | {None: look_of_rest(group, breakdown.num_others, address)}


def look_of(group: Grouping, part: int, names: Names, address: Address, color: str = OTHER_COLOR) -> Look:
    """How a part is named that may have no bars of its own."""
    name = names.of(group, part)
    return Look(name.name, name.name, color, filter_address(address, group, part, names), name.detail)


def look_of_rest(group: Grouping, num_others: int, address: Address) -> Look:
    """How all parts are named that have no row or bars of their own: 'Other, 12 models' leads to the list of all."""
    legend = f"Other, {counted(num_others, group.label)}" if num_others else "Other"
    return Look("Other", legend, OTHER_COLOR, list_address(address, group) if group.has_list else "")


def chart_of(  # noqa: PLR0913 - one keyword for each thing that is written on a chart
    axis: Axis,
    series: Sequence[Series],
    unit: Unit,
    address: Address,
    *,
    id: str,  # noqa: A002 - what HTML calls it
    title: str,
    total: str,
    exact_total: str,
    entries: tuple[Entry, ...] = (),
    choices: tuple[Choice, ...] = (),
    comparison: Comparison | None = None,
) -> Chart:
    """The chart of these series; its bars open in the view at `address`."""
    return Chart(
        id=id,
        title=title,
        total=total,
        exact_total=exact_total,
        figure=figure_script(axis, series, unit),
        numbers=_numbers(axis, series, unit, address),
        entries=entries,
        choices=choices,
        comparison=comparison,
    )


def series_of(breakdown: Breakdown, looks: Mapping[int | None, Look]) -> tuple[Series, ...]:
    """What is drawn of the stacked parts."""
    found = ((part, looks[part.id]) for part in breakdown.stacked)
    return tuple(Series(look.name, look.color, part.values, look.address) for part, look in found)


def entries_of(
    breakdown: Breakdown, looks: Mapping[int | None, Look], text: Callable[[Number], str]
) -> tuple[Entry, ...]:
    """The line of names above a chart, each with its total."""
    found = ((part, looks[part.id]) for part in breakdown.stacked)
    return tuple(Entry(look.legend, look.color, text(part.total), look.address) for part, look in found)


def _numbers(axis: Axis, series: Sequence[Series], unit: Unit, address: Address) -> Numbers:
    """The table of a chart, with a total where there is more than one series."""
    total = ("Total",) if len(series) > 1 else ()
    rows = []
    for number, slot in enumerate(axis.begun):
        values = [item.values[number] for item in series]
        shown = (*values, sum(values)) if total else values
        cells = "".join(f'<td class="number">{escape(unit.text(value))}</td>' for value in shown)
        rows.append(f'<tr><th scope="row">{_slot_link(address, axis.step, slot, opens=axis.opens)}</th>{cells}</tr>\n')
    columns = (*(item.name for item in series), *total)
    return Numbers(HEADINGS[axis.step], columns, mark_safe("".join(rows)))  # noqa: S308 - escaped where it is not ours


@lru_cache(maxsize=NUM_LINKS)
def _slot_link(address: Address, step: Step, slot: Slot, *, opens: bool) -> str:
    """The name of a bar, and where it leads. All charts of a page have the same."""
    to = _slot_address(address, step, slot, opens=opens)
    return f'<a href="{escape(to)}">{label(slot)}</a>' if to else label(slot)


def _slot_address(address: Address, step: Step, slot: Slot, *, opens: bool) -> str:
    """Where a bar leads: a day to its hours, an hour to its minutes, a minute nowhere."""
    if step == Step.DAY:
        return str(address.without("list", "q", *PAGES).setting("day", f"{slot:%Y-%m-%d}"))
    if opens and isinstance(slot, datetime):
        return str(address.setting("hour", f"{slot.hour}"))
    return ""


def adding_up(asked: Asked) -> tuple[Choice, ...]:
    """Whether the bars stand alone, or each is added to those before it."""
    is_cumulative = asked.form.is_cumulative
    return (
        Choice(asked.query.step.value.title(), str(asked.address.setting("chart", "")), not is_cumulative),
        Choice("Cumulative", str(asked.address.setting("chart", "cumulative")), is_cumulative),
    )


@dataclass(frozen=True)
class ComparedDays:
    """Days of a month, and those of the month before that they are compared with. All of them are over."""

    days: Period
    before: Period
    label: str

    def comparison(self, amount: Number, before: Number) -> Comparison | None:
        """How what the days had compares with what those before had; None where these have nothing to compare with."""
        percent = change(amount, before)
        return Comparison(percent, self.label) if percent else None


def days_to_compare(asked: Asked) -> ComparedDays | None:
    """None where less than a month is shown."""
    return compared_days(asked.form.month, asked.now.date()) if asked.query.step == Step.DAY else None


def compared_days(month: Period, today: date) -> ComparedDays | None:
    """Of a month that goes on, the whole days that it has had and as many of the month before; None before it has had one.

    A month that is over is compared with the month before as a whole.
    """
    previous = previous_month(month)
    if today not in month:
        return ComparedDays(month, previous, days_of(previous))
    num_days = min((today - month.start).days, previous.num_days)
    if num_days == 0:
        return None
    before = _first_days(previous, num_days)
    return ComparedDays(_first_days(month, num_days), before, f"{days_of(before)}, whole days")


def _first_days(period: Period, num_days: int) -> Period:
    return Period(period.start, period.start + timedelta(days=num_days))


def days_of(period: Period) -> str:
    """'Oct 1–22'."""
    last = period.end - timedelta(days=1)
    return short_day(period.start) if period.num_days == 1 else f"{short_day(period.start)}–{last.day}"
