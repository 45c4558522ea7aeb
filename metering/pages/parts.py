"""What both reports have in common: what they were asked for, the bar of controls above them, the addresses of their parts."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.urls import reverse

from accounts.access import Access
from accounts.models import Organization
from accounts.pages.menu import menu
from accounts.periods import Period, next_month, previous_month
from metering.display import short_day
from metering.pages.addresses import PAGES, Address, Parameters
from metering.pages.axis import Axis, axis_of
from metering.pages.filter_form import FILTERS, FilterForm, hour_span
from metering.usage import groupings
from metering.usage.groupings import Grouping
from metering.usage.names import NO_CHOICES, Names, names_of
from metering.usage.queries import Slot, UsageQuery
from metering.usage.rankings import PAGE_ROWS, ids_named
from metering.usage.sums import has_any_usage


@dataclass(frozen=True)
class Asked:
    """What a page was asked for: by whom, in which form, at which address, and when."""

    access: Access
    form: FilterForm
    address: Address
    now: datetime

    @property
    def query(self) -> UsageQuery:
        return self.form.query

    @property
    def group(self) -> Grouping:
        return self.form.query.group

    def is_new(self) -> bool:
        """Whether the reader may see nothing, because nothing was ever used."""
        return not has_any_usage(self.access)

    def axis(self, used: Iterable[Slot]) -> Axis:
        """The bars of the page; `used` are those that have usage."""
        return axis_of(self.query, self.now, used)

    def names(
        self,
        wanted: Mapping[Grouping, Collection[int]],
        choices: Mapping[Grouping, Iterable[tuple[int, str]]] = NO_CHOICES,
    ) -> Names:
        """The names of the parts with these ids, as `names_of` finds them."""
        return names_of(wanted, self.access.organizations, choices)

    def page_of(self, group: Grouping, parts: Sequence[int]) -> tuple[Sequence[int], int]:
        """Of all parts in their order those on the page that is shown, and how many have the searched text in their name."""
        search, first = self.form.search, (self.form.page - 1) * PAGE_ROWS
        if search:
            named = ids_named(group, parts, search)
            parts = [part for part in parts if part in named]
        return parts[first : first + PAGE_ROWS], len(parts)


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


def page_address(name: str, organization: Organization, form: FilterForm) -> Address:
    return Address(reverse(name, args=[organization.slug]), form.parameters)


def bar_of(access: Access, form: FilterForm, address: Address, groups: Sequence[Grouping]) -> Bar:
    """The controls of the page at `address`, each a link to the view that it leads to."""
    views = [(page.label, reverse(page.name, args=[access.organization.slug])) for page in menu().views]
    return Bar(
        views=tuple(
            Choice(label, str(address.without("grant").at(path)), address.path == path) for label, path in views
        ),
        month=f"{form.month.start:%B %Y}",
        period=form.period_name,
        previous_address=_month_address(address, previous_month(form.month), form),
        next_address="" if form.is_current_month else _month_address(address, next_month(form.month), form),
        group=form.query.group.label,
        groups=tuple(
            Choice(group.label, str(address.setting("group", _unless_default(group))), group == form.query.group)
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
    return address.without("day", "hour", *PAGES)


def _unless_default(group: Grouping) -> str:
    return "" if group == groupings.DEFAULT else group.word


def _month_address(address: Address, month: Period, form: FilterForm) -> str:
    return str(month_address(address).setting("month", "" if month == form.current_month else f"{month.start:%Y-%m}"))


def _export_form(address: Address, form: FilterForm) -> ExportForm:
    view = address.without("list", "q", *PAGES)
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


def filter_address(address: Address, group: Grouping, found_id: int, names: Names) -> str:
    """The report of the same view narrowed to one part, or nothing if there is no filter for it."""
    value = names.of(group, found_id).address_value
    if not value:
        return ""
    report = address.without("list", "q", *PAGES)
    if not group.attribute:
        return str(report.setting(group.word, value))
    return str(report.setting(group.filter_name, value, instead_of=(f"{group.attribute}:", f"{group.attribute}*")))


def list_address(address: Address, group: Grouping) -> str:
    """The list of all parts of a group in the same view."""
    return str(address.without("q").setting("list", group.word))
