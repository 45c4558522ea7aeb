"""The filter form: the only maker of a UsageQuery. It never refuses; what it cannot use it leaves out, and says so."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from django.conf import settings
from django.http import QueryDict

from accounts.access import Access
from accounts.pages.words import counted, plural
from accounts.periods import LAST_YEAR, Period, month_of, one_day, parse_day, parse_month
from metering.display import long_day
from metering.measures import USAGE_TYPES
from metering.pages.addresses import Parameters
from metering.pages.axis import has_minutes
from metering.pages.query_strings import Reader, shortened
from metering.usage import groupings
from metering.usage.declared import Declared, declared_in
from metering.usage.groupings import (
    GROUPINGS,
    Grouping,
    View,
    groupings_of,
)
from metering.usage.names import Names
from metering.usage.owned import Asked, OwnedIds, find_owned
from metering.usage.queries import Rank, Step, UsageQuery

FILTERS: Final = {
    "model": "Model",
    "user": "User",
    "api_key": "API key",
    "organization": "Organization",
    "usage_type": "Usage type",
    "service_tier": "Service tier",
    "provider": "Provider",
    "project": "Project",
    "attribute": "Attribute",
}
CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "rank": tuple(rank.value for rank in Rank),
    "chart": ("day", "cumulative"),
    "tokens": ("kind", "group"),
}
MAX_PAGE: Final = 10_000


class Chart(StrEnum):
    """How the cost chart adds up."""

    DAY = "day"
    CUMULATIVE = "cumulative"


@dataclass(frozen=True)
class Filter:
    """One filter that is in force, as its chip shows it."""

    name: str
    value: str
    kind: str
    label: str


@dataclass(frozen=True)
class FilterForm:
    """What was asked for and understood: the query, how to show it, and a sentence for each thing that was ignored."""

    query: UsageQuery
    declared: Declared
    groups: tuple[Grouping, ...]
    month: Period
    current_month: Period
    day: date | None
    hour: int | None
    listed: Grouping | None
    page: int
    search: str
    rank: Rank
    chart: Chart
    tokens_by_group: bool
    filters: tuple[Filter, ...]
    parameters: Parameters
    ignored: tuple[str, ...]
    own_usage_only: bool

    @property
    def is_cumulative(self) -> bool:
        return self.chart == Chart.CUMULATIVE

    @property
    def is_current_month(self) -> bool:
        return self.month == self.current_month

    @property
    def period_name(self) -> str:
        """'November 2026', 'Nov 14, 2026' or 'Nov 14, 2026, 13:00–14:00'."""
        if self.day is None:
            return f"{self.month.start:%B %Y}"
        return long_day(self.day) if self.hour is None else f"{long_day(self.day)}, {hour_span(self.hour)}"


def hour_span(hour: int) -> str:
    """13 → '13:00–14:00'."""
    return f"{hour:02d}:00–{hour + 1:02d}:00"


def read_filter_form(data: QueryDict, *, access: Access, today: date, view: View) -> FilterForm:
    """The form of a query string, for one of the two views."""
    reader = Reader(data)
    month, day = _month_and_day(reader, today)
    hour = _hour(reader, day, today)
    declared = declared_in(access.organizations)
    filters, owned = read_filters(reader, access, declared)
    groups = groupings_of(view, num_organizations=len(access.organizations), attributes=declared.attributes)
    asked_group, listed = _asked_groups(reader, declared)
    drawn = "" if asked_group == groupings.DEFAULT else asked_group.word
    choices = {"group": drawn, **{name: reader.choice(name, allowed) for name, allowed in CHOICES.items()}}
    choices["list"] = listed.word if listed else ""
    page = _page(reader, "page")
    search = reader.text("q")
    own_usage_only = not access.sees_all_usage
    query = UsageQuery(
        organization_ids=owned.organizations or tuple(organization.id for organization in access.organizations),
        period=month if day is None else one_day(day),
        user_ids=(access.user.id,) if own_usage_only else owned.users,
        api_key_ids=owned.api_keys,
        model_ids=owned.models,
        usage_types=tuple(USAGE_TYPES[item.value] for item in filters if item.name == "usage_type"),
        service_tiers=owned.service_tiers,
        providers=owned.providers,
        values=owned.values,
        group=_drawn(reader, asked_group, groups),
        step=_step(day, hour),
        hour=hour,
    )
    of_list = (("q", search), ("page", _unless_first(page))) if listed else _grant_page(reader, view)
    asked = (*_moment(month, day, hour, today), *choices.items(), *of_list)
    return FilterForm(
        query=query,
        declared=declared,
        month=month,
        current_month=month_of(today),
        day=day,
        hour=hour,
        listed=listed if listed in groups else None,
        groups=groups,
        page=page,
        search=search,
        rank=Rank(choices["rank"] or Rank.REQUESTS),
        chart=Chart(choices["chart"] or Chart.DAY),
        tokens_by_group=choices["tokens"] == "group",
        filters=filters,
        parameters=(*(pair for pair in asked if pair[1]), *((item.name, item.value) for item in filters)),
        ignored=tuple(reader.ignored),
        own_usage_only=own_usage_only,
    )


def _page(reader: Reader, name: str) -> int:
    return reader.number(name, lowest=1, highest=MAX_PAGE) or 1


def _grant_page(reader: Reader, view: View) -> Parameters:
    """Which page of the credit grants that the Cost page ends with."""
    return (("grant", _unless_first(_page(reader, "grant"))),) if view == View.COST else ()


def _unless_first(page: int) -> str:
    return f"{page}" if page > 1 else ""


def asked_month(data: QueryDict) -> date:
    """The start of the month that the form will show, before it is known what day it is: the current month for a later one."""
    month, _ = _month_and_day(Reader(data), date(LAST_YEAR, 12, 31))
    return month.start


def _moment(month: Period, day: date | None, hour: int | None, today: date) -> Parameters:
    own_month = "" if month == month_of(today) else f"{month.start:%Y-%m}"
    return ("month", own_month), ("day", f"{day}" if day else ""), ("hour", "" if hour is None else f"{hour}")


def _asked_groups(reader: Reader, declared: Declared) -> tuple[Grouping, Grouping | None]:
    """The grouping of the charts, and that of the list of all parts if one is open."""
    known = GROUPINGS | {group.word: group for group in declared.attributes}
    words = tuple(known)
    drawn = known.get(reader.choice("group", words) or reader.choice("group_by", words), groupings.DEFAULT)
    return drawn, known.get(reader.choice("list", tuple(word for word, group in known.items() if group.has_list)))


def _drawn(reader: Reader, asked: Grouping, groups: Collection[Grouping]) -> Grouping:
    """The grouping asked for, or the usual one where this view cannot draw it. The address keeps it for the other view."""
    if asked in groups:
        return asked
    usual = plural(groupings.DEFAULT.label, 1)
    reader.ignore(f"This view cannot be grouped by {plural(asked.label, 1)}; showing it by {usual}.")
    return groupings.DEFAULT


def _step(day: date | None, hour: int | None) -> Step:
    if day is None:
        return Step.DAY
    return Step.HOUR if hour is None else Step.MINUTE


def _month_and_day(reader: Reader, today: date) -> tuple[Period, date | None]:
    """The month asked for, or the one of the day asked for, or the current one; and the day, if it is one of that month."""
    text = reader.single("day")
    day = parse_day(text)
    if text and day is None:
        reader.ignore(f"“{shortened(text)}” is not a day like 2026-11-14; showing the whole month.")
    if day is None:
        return _month(reader, today), None
    month = _month(reader, today) if reader.single("month") else month_of(day)
    if day > today:
        reader.ignore(f"{long_day(day)} has not begun; showing the current month.")
        return min(month, month_of(today)), None
    if day not in month:
        reader.ignore(f"{long_day(day)} is not in {month.start:%B %Y}; showing the whole month.")
        return month, None
    return month, day


def _hour(reader: Reader, day: date | None, today: date) -> int | None:
    """The hour asked for, if its minutes are still kept."""
    hour = reader.number("hour", lowest=0, highest=23)
    if hour is None:
        return None
    if day is None:
        reader.ignore("“hour” was ignored; it needs a day.")
        return None
    if not has_minutes(day, today):
        reader.ignore(
            f"Minutes are kept for {counted(settings.USAGE_EVENT_RETENTION_DAYS, 'day')}; showing the whole day."
        )
        return None
    return hour


def _month(reader: Reader, today: date) -> Period:
    """The month asked for, or the current one; there is no usage in a month that has not begun."""
    current = month_of(today)
    text = reader.single("month")
    if not text:
        return current
    month = parse_month(text)
    if month is None:
        reader.ignore(f"“{shortened(text)}” is not a month like 2026-11; showing the current month.")
        return current
    if month > current:
        reader.ignore(f"{month.start:%B %Y} has not begun; showing the current month.")
        return current
    return month


def read_filters(
    reader: Reader, access: Access, declared: Declared, names: Collection[str] = tuple(FILTERS)
) -> tuple[tuple[Filter, ...], OwnedIds]:
    """The filters of these names that are this reader's to use, and the ids behind them."""
    asked = {name: reader.several(name, kind) if name in names else [] for name, kind in FILTERS.items()}
    owned, known = find_owned(
        access,
        Asked(**{f"{name}s": values for name, values in asked.items() if name != "usage_type"}),
        declared,
    )
    labels = _labels(known)
    filters = []
    for name, kind in FILTERS.items():
        for value in asked[name]:
            if (name, value) in labels:
                filters.append(Filter(name, value, *labels[name, value]))
            else:
                reader.unknown(kind, value)
    return tuple(filters), owned


def _labels(names: Names) -> dict[tuple[str, str], tuple[str, str]]:
    """(name, value) of each usable filter → what its chip says: of what kind it is, and which."""
    return {
        **{
            (group.filter_name, item.address_value): (group.label, item.name)
            for (group, _), item in names.known.items()
        },
        **{("usage_type", label): (FILTERS["usage_type"], label.replace("_", " ")) for label in USAGE_TYPES},
    }
