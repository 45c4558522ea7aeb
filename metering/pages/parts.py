"""The parts that both reports are made of: the bar above them, the charts, and the tables under the charts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString

from accounts.access import Access
from accounts.models import Organization
from metering.display import exact, plural, short_day
from metering.pages.addresses import Address, Parameters
from metering.pages.axis import HEADINGS, Axis, Slot, label
from metering.pages.figures import Series, Unit
from metering.pages.filter_form import FILTERS, FilterForm, hour_span
from metering.periods import Period, next_month, previous_month
from metering.usage.names import Names
from metering.usage.queries import Group, Step
from metering.usage.rankings import PAGE_ROWS

GROUP_LABELS = {
    Group.MODEL: "Model",
    Group.USER: "User",
    Group.API_KEY: "API key",
    Group.ORGANIZATION: "Organization",
    Group.SERVICE_TIER: "Service tier",
    Group.LINE_ITEM: "Line item",
}


@dataclass(frozen=True)
class Choice:
    """One of several links of which one is in force."""

    label: str
    address: str
    current: bool


@dataclass(frozen=True)
class Chip:
    """A filter in force; its address is the same view without it."""

    kind: str
    label: str
    address: str


@dataclass(frozen=True)
class ExportForm:
    """The form that asks for the range of an export: the days of the view at first, its filters kept."""

    page_address: str
    back_address: str
    csv_address: str
    json_address: str
    hidden: Parameters
    filters: str
    first_day: str
    last_day: str


@dataclass(frozen=True)
class Bar:
    """The line of controls above a report."""

    views: tuple[Choice, ...]
    month: str
    period: str
    previous_address: str
    next_address: str
    group: str
    groups: tuple[Choice, ...]
    moments: tuple[Chip, ...]
    chips: tuple[Chip, ...]
    clear_address: str
    export: ExportForm | None


@dataclass(frozen=True)
class Entry:
    """One entry of the line of names above a chart."""

    label: str
    color: str
    value: str
    address: str


@dataclass(frozen=True)
class NumberRow:
    """One bar in numbers; its address opens it by the next smaller step, where there is one."""

    label: str
    address: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Numbers:
    """The values of a chart as a table: one row per bar that has begun."""

    heading: str
    columns: tuple[str, ...]
    rows: tuple[NumberRow, ...]


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


def groups_of(access: Access, *more: Group) -> tuple[Group, ...]:
    """The groupings that make sense here: by organization only where there is more than one."""
    organization = (Group.ORGANIZATION,) if len(access.organizations) > 1 else ()
    return (Group.MODEL, Group.USER, Group.API_KEY, *organization, Group.SERVICE_TIER, *more)


def page_address(name: str, organization: Organization, form: FilterForm) -> Address:
    return Address(reverse(name, args=[organization.slug]), form.parameters)


def bar_of(access: Access, form: FilterForm, address: Address, groups: Sequence[Group]) -> Bar:
    """The controls of the page at `address`, each a link to the view that it leads to."""
    cost = reverse("billing:cost", args=[access.organization.slug])
    activity = reverse("metering:activity", args=[access.organization.slug])
    return Bar(
        views=(
            Choice("Cost", str(address.at(cost)), address.path == cost),
            Choice("Activity", str(address.at(activity)), address.path == activity),
        ),
        month=f"{form.month.start:%B %Y}",
        period=form.period_name,
        previous_address=_month_address(address, previous_month(form.month), form),
        next_address="" if form.is_current_month else _month_address(address, next_month(form.month), form),
        group=GROUP_LABELS[form.query.group],
        groups=tuple(
            Choice(GROUP_LABELS[group], str(address.setting("group", _unless_model(group))), group == form.query.group)
            for group in groups
        ),
        moments=_moments(form, address),
        chips=tuple(Chip(item.kind, item.label, str(address.dropping(item.name, item.value))) for item in form.filters),
        clear_address=str(address.without(*FILTERS)),
        export=_export_form(address, form) if access.can_export else None,
    )


def _moments(form: FilterForm, address: Address) -> tuple[Chip, ...]:
    """The day and hour that are open, as chips that close them."""
    chips = []
    if form.day is not None:
        chips.append(Chip("", short_day(form.day), str(month_address(address))))
    if form.hour is not None:
        chips.append(Chip("", hour_span(form.hour), str(address.without("hour"))))
    return tuple(chips)


def month_address(address: Address) -> Address:
    """The same view of the whole month."""
    return address.without("day", "hour", "page")


def _unless_model(group: Group) -> str:
    return "" if group == Group.MODEL else group.value


def _month_address(address: Address, month: Period, form: FilterForm) -> str:
    return str(month_address(address).setting("month", "" if month == form.current_month else f"{month.start:%Y-%m}"))


def _export_form(address: Address, form: FilterForm) -> ExportForm:
    view = address.without("list", "q", "page")
    period = form.query.period
    labels = ", ".join(f"{item.kind} {item.label}" for item in form.filters)
    return ExportForm(
        page_address=str(view.at(f"{address.path}export/")),
        back_address=str(view),
        csv_address=f"{address.path}export.csv",
        json_address=f"{address.path}export.json",
        hidden=tuple((item.name, item.value) for item in form.filters),
        filters=labels,
        first_day=f"{period.start}",
        last_day=f"{period.end - timedelta(days=1)}",
    )


def numbers_of(axis: Axis, series: Sequence[Series], unit: Unit, address: Address) -> Numbers:
    """The table of a chart, with a total where there is more than one series."""
    columns = [item.values for item in series]
    if len(series) > 1:
        columns.append(tuple(sum(values, start=0) for values in zip(*columns, strict=True)))
    return Numbers(
        heading=HEADINGS[axis.step],
        columns=tuple(item.name for item in series) + (("Total",) if len(series) > 1 else ()),
        rows=tuple(
            NumberRow(label(slot), _slot_address(address, axis, slot), tuple(map(unit.text, values)))
            for slot, values in zip(axis.begun, zip(*columns, strict=True), strict=True)
        ),
    )


def _slot_address(address: Address, axis: Axis, slot: Slot) -> str:
    """Where a bar leads: a day to its hours, an hour to its minutes, a minute nowhere."""
    if axis.step == Step.DAY:
        return str(address.without("list", "q", "page").setting("day", f"{slot:%Y-%m-%d}"))
    if axis.opens and isinstance(slot, datetime):
        return str(address.setting("hour", f"{slot.hour}"))
    return ""


def filter_address(address: Address, group: Group, found_id: int, names: Names) -> str:
    """The report of the same view narrowed to one part, or nothing if there is no filter for it."""
    value = names.of(group, found_id).address_value
    return str(address.without("list", "q", "page").setting(group.value, value)) if value else ""


def list_address(address: Address, group: Group) -> str:
    """The list of all parts of a group in the same view."""
    return str(address.without("q").setting("list", group.value))


def list_frame(form: FilterForm, address: Address, group: Group, num_rows: int) -> dict[str, Any]:
    """What a list page says around its rows: how many were found, and where its controls lead."""
    kind = plural(GROUP_LABELS[group], num_rows)
    last_page = max(1, -(-num_rows // PAGE_ROWS))
    return {
        "title": f"All {plural(GROUP_LABELS[group], 2)}",
        "kind": GROUP_LABELS[group],
        "found": f"{exact(num_rows)} {kind}{' found' if form.search else ''}"
        + (f", page {form.page} of {last_page}" if last_page > 1 else ""),
        "search": form.search,
        "path": address.path,
        "hidden": tuple(pair for pair in address.parameters if pair[0] not in ("q", "page")),
        "back_address": str(address.without("list", "q", "page")),
        "previous_address": _page_address(address, min(form.page - 1, last_page)) if form.page > 1 else "",
        "next_address": _page_address(address, form.page + 1) if form.page < last_page else "",
    }


def _page_address(address: Address, page: int) -> str:
    return str(address.setting("page", f"{page}" if page > 1 else ""))


@dataclass(frozen=True)
class ComparedDays:
    """Days of a month, and those of the month before that they are compared with. All of them are over."""

    days: Period
    before: Period
    label: str


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
