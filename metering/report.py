"""The parts that both reports are made of: the bar above them, the charts, and the tables under the charts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.urls import reverse
from django.utils.safestring import SafeString

from accounts.access import Access
from accounts.models import Organization
from metering.display import short_day
from metering.figures import Series, Unit
from metering.forms import FilterForm
from metering.links import Address
from metering.names import Names
from metering.periods import Period, next_month, previous_month
from metering.queries import Group

GROUP_LABELS = {
    Group.MODEL: "Model",
    Group.USER: "User",
    Group.API_KEY: "API key",
    Group.ORGANIZATION: "Organization",
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
class Bar:
    """The line of controls above a report."""

    views: tuple[Choice, ...]
    month: str
    previous_address: str
    next_address: str
    group: str
    groups: tuple[Choice, ...]
    chips: tuple[Chip, ...]
    clear_address: str
    export_address: str


@dataclass(frozen=True)
class Entry:
    """One entry of the line of names above a chart."""

    label: str
    color: str
    value: str
    address: str


@dataclass(frozen=True)
class Numbers:
    """The values of a chart as a table: one row per day that has begun."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Chart:
    """A chart with its caption, its total, the line of names, and the same numbers as a table."""

    id: str
    title: str
    total: str
    figure: SafeString
    numbers: Numbers
    entries: tuple[Entry, ...] = ()
    choices: tuple[Choice, ...] = ()


def groups_of(access: Access, *more: Group) -> tuple[Group, ...]:
    """The groupings that make sense here: by organization only where there is more than one."""
    organization = (Group.ORGANIZATION,) if len(access.organizations) > 1 else ()
    return (Group.MODEL, Group.USER, Group.API_KEY, *organization, *more)


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
        previous_address=_month_address(address, previous_month(form.month), form),
        next_address="" if form.is_current_month else _month_address(address, next_month(form.month), form),
        group=GROUP_LABELS[form.query.group],
        groups=tuple(
            Choice(GROUP_LABELS[group], str(address.setting("group", _unless_model(group))), group == form.query.group)
            for group in groups
        ),
        chips=tuple(Chip(item.kind, item.label, str(address.dropping(item.name, item.value))) for item in form.filters),
        clear_address=str(address.without(*(item.name for item in form.filters))),
        export_address=_export_address(address, form) if access.can_export else "",
    )


def _unless_model(group: Group) -> str:
    return "" if group == Group.MODEL else group.value


def _month_address(address: Address, month: Period, form: FilterForm) -> str:
    return str(address.setting("month", "" if month == form.current_month else f"{month.start:%Y-%m}"))


def _export_address(address: Address, form: FilterForm) -> str:
    dated = address.setting("month", f"{form.month.start:%Y-%m}")
    return str(dated.at(f"{address.path}export.csv"))


def numbers_of(days: Sequence[date], series: Sequence[Series], unit: Unit) -> Numbers:
    """The table of a chart, with a total where there is more than one series."""
    columns = [item.values for item in series]
    if len(series) > 1:
        columns.append(tuple(sum(values, start=0) for values in zip(*columns, strict=True)))
    return Numbers(
        columns=tuple(item.name for item in series) + (("Total",) if len(series) > 1 else ()),
        rows=tuple(
            (short_day(day), tuple(map(unit.text, values)))
            for day, values in zip(days, zip(*columns, strict=True), strict=False)
        ),
    )


def filter_address(address: Address, group: Group, found_id: int, names: Names) -> str:
    """The same view narrowed to one part, or nothing if there is no filter for it."""
    value = names.of(group, found_id).address_value
    return str(address.setting(group.value, value)) if value else ""
