"""The filter form: the only maker of a UsageQuery. It never refuses; what it cannot use it leaves out, and says so."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from django.http import QueryDict

from accounts.access import Access
from metering.links import Parameters
from metering.measures import USAGE_TYPES
from metering.names import Names
from metering.owned import OwnedIds, find_owned
from metering.periods import Period, month_of, parse_month
from metering.queries import Group, Rank, UsageQuery

MAX_VALUES: Final = 20
MAX_CHARACTERS: Final = 128
SHOWN_CHARACTERS: Final = 40
FILTERS: Final = {
    "model": "Model",
    "user": "User",
    "api_key": "API key",
    "organization": "Organization",
    "usage_type": "Usage type",
}
CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "group": tuple(group.value for group in Group),
    "rank": tuple(rank.value for rank in Rank),
    "chart": ("day", "cumulative"),
    "tokens": ("kind", "group"),
}


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
    month: Period
    current_month: Period
    rank: Rank
    chart: Chart
    tokens_by_group: bool
    filters: tuple[Filter, ...]
    parameters: Parameters
    ignored: tuple[str, ...]
    own_usage_only: bool

    @property
    def is_current_month(self) -> bool:
        return self.month == self.current_month


def read_filter_form(data: QueryDict, *, access: Access, today: date, groups: Collection[Group]) -> FilterForm:
    """The form of a query string. `groups` are the groupings that the page can draw; others fall back to models."""
    reader = _Reader(data)
    month = _month(reader, today)
    choices = {name: reader.choice(name, allowed) for name, allowed in CHOICES.items()}
    filters, owned = _filters(reader, access)
    group = Group(choices["group"] or Group.MODEL)
    own_usage_only = not access.sees_all_usage
    query = UsageQuery(
        organization_ids=owned.organizations or tuple(organization.id for organization in access.organizations),
        period=month,
        user_ids=(access.user.id,) if own_usage_only else owned.users,
        api_key_ids=owned.api_keys,
        model_ids=owned.models,
        usage_types=tuple(USAGE_TYPES[item.value] for item in filters if item.name == "usage_type"),
        group=group if group in groups else Group.MODEL,
    )
    return FilterForm(
        query=query,
        month=month,
        current_month=month_of(today),
        rank=Rank(choices["rank"] or Rank.REQUESTS),
        chart=Chart(choices["chart"] or Chart.DAY),
        tokens_by_group=choices["tokens"] == "group",
        filters=filters,
        parameters=_parameters(month, today, choices, filters),
        ignored=tuple(reader.ignored),
        own_usage_only=own_usage_only,
    )


def _parameters(month: Period, today: date, choices: dict[str, str], filters: Iterable[Filter]) -> Parameters:
    """What was understood, as a query string that leads to the same view."""
    own_month = () if month == month_of(today) else (("month", f"{month.start:%Y-%m}"),)
    chosen = tuple((name, value) for name, value in choices.items() if value)
    return (*own_month, *chosen, *((item.name, item.value) for item in filters))


class _Reader:
    """Takes values out of a query string and keeps a sentence for each that cannot be used."""

    def __init__(self, data: QueryDict) -> None:
        self._data = data
        self.ignored: list[str] = []

    def ignore(self, sentence: str) -> None:
        if sentence not in self.ignored:
            self.ignored.append(sentence)

    def single(self, name: str) -> str:
        values = [value for value in self._data.getlist(name) if value]
        if len(values) > 1:
            self.ignore(f"“{name}” was given {len(values)} times; only the first counts.")
        return values[0] if values else ""

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.single(name)
        if value and value not in allowed:
            self.ignore(f"“{name}={shortened(value)}” was ignored; it can be {', '.join(allowed)}.")
            return ""
        return value

    def several(self, name: str) -> list[str]:
        """The distinct values of a filter, in order."""
        values = list(dict.fromkeys(value for value in self._data.getlist(name) if value))
        if len(values) > MAX_VALUES:
            self.ignore(f"Only the first {MAX_VALUES} values of “{name}” count.")
        usable = []
        for value in values[:MAX_VALUES]:
            if len(value) > MAX_CHARACTERS or "\x00" in value:
                self.unknown(name, value)
            else:
                usable.append(value)
        return usable

    def unknown(self, name: str, value: str) -> None:
        kind = FILTERS[name]
        self.ignore(f"The filter “{kind}: {shortened(value)}” was ignored; there is no such usage here.")


def shortened(text: str) -> str:
    """A value as a sentence can quote it: one line, of bounded length."""
    line = "".join(character if character.isprintable() else "�" for character in text[:SHOWN_CHARACTERS])
    return f"{line}…" if len(text) > SHOWN_CHARACTERS else line


def _month(reader: _Reader, today: date) -> Period:
    """The month asked for, or the current one; there is no usage in a month that has not begun."""
    current = month_of(today)
    text = reader.single("month")
    if not text:
        return current
    month = parse_month(text)
    if month is None:
        reader.ignore(f"“{shortened(text)}” is not a month like 2026-11; this is the current month.")
        return current
    if month > current:
        reader.ignore(f"{month.start:%B %Y} has not begun; this is the current month.")
        return current
    return month


def _filters(reader: _Reader, access: Access) -> tuple[tuple[Filter, ...], OwnedIds]:
    """The filters that are this reader's to use, and the ids behind them."""
    asked = {name: reader.several(name) for name in FILTERS}
    owned, names = find_owned(
        access,
        models=asked["model"],
        users=asked["user"],
        api_keys=asked["api_key"],
        organizations=asked["organization"],
    )
    labels = _labels(owned, names)
    filters = []
    for name, kind in FILTERS.items():
        for value in asked[name]:
            if (name, value) in labels:
                filters.append(Filter(name, value, kind, labels[name, value]))
            else:
                reader.unknown(name, value)
    return tuple(filters), owned


def _labels(owned: OwnedIds, names: Names) -> dict[tuple[str, str], str]:
    """(name, value) of each usable filter → what its chip says."""
    by_group: dict[Group, tuple[int, ...]] = {
        Group.MODEL: owned.models,
        Group.USER: owned.users,
        Group.API_KEY: owned.api_keys,
        Group.ORGANIZATION: owned.organizations,
    }
    named = {(group, names.of(group, found_id)) for group, ids in by_group.items() for found_id in ids}
    return {(group.value, item.address_value): item.name for group, item in named} | {
        ("usage_type", label): label.replace("_", " ") for label in USAGE_TYPES
    }
