"""Which usage a page, a chart or an export is about: one frozen query, and the conditions that it means in SQL.

SQL is built from constants of these modules alone; every value travels as a parameter. `metering.usage.sources` says which
table answers, `metering.usage.sums` and `metering.usage.rankings` ask it.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from django.db import connection

from accounts.periods import Period
from metering.measures import MEASURES
from metering.usage import groupings
from metering.usage.groupings import UNTRACKED, Grouping

SHOWN_PARTS: Final = 7
OWN_MEASURES: Final = ", ".join(f"usage.{measure}" for measure in MEASURES)
MEASURE_SUMS: Final = ", ".join(f"sum(usage.{measure}) AS {measure}" for measure in MEASURES)
Slot = date | datetime
"""What a bar stands for: a UTC day, or the moment at which an hour or minute begins."""


class Rank(StrEnum):
    """What the Top lists are ordered by."""

    REQUESTS = "requests"
    TOKENS = "tokens"


class Step(StrEnum):
    """How wide a bar is."""

    DAY = "day"
    HOUR = "hour"
    MINUTE = "minute"


@dataclass(frozen=True)
class ValueFilter:
    """Usage of these values of a dimension alone. `with_nothing`: what has no value is meant too; its part is then in
    `value_ids` (of projects the ids of the default ones, whose usage is stored without a project)."""

    dimension: Grouping
    value_ids: tuple[int, ...]
    with_nothing: bool = False


@dataclass(frozen=True)
class SkuFilter:
    """Usage of these parts alone, of a grouping whose column is an expression of `sku`."""

    group: Grouping
    parts: tuple[int, ...]


@dataclass(frozen=True)
class UsageQuery:
    """Which usage. An empty filter means all; `organization_ids` is never empty.

    `hour` (0–23) narrows a period of one day to one hour; `moments`, within the period, any query to the hours or minutes
    from the first to before the second. `as_of`: as the rollups had it at that moment. Made by `metering.pages.filter_form`
    and, for programs, `exports.admin_api.questions` alone, which have checked every id against the reader's access.
    """

    organization_ids: tuple[int, ...]
    period: Period
    user_ids: tuple[int, ...] = ()
    api_key_ids: tuple[int, ...] = ()
    model_ids: tuple[int, ...] = ()
    usage_types: tuple[int, ...] = ()
    service_tiers: tuple[int, ...] = ()
    providers: tuple[int, ...] = ()
    values: tuple[ValueFilter, ...] = ()
    group: Grouping = groupings.DEFAULT
    step: Step = Step.DAY
    hour: int | None = None
    moments: tuple[datetime, datetime] | None = None
    batch: bool | None = None
    sku_filters: tuple[SkuFilter, ...] = ()
    as_of: datetime | None = None

    @property
    def is_of_untracked(self) -> bool:
        """Whether exactly the untracked usage is meant, of all users."""
        return self.api_key_ids == (UNTRACKED,) and not self.user_ids

    @property
    def start_at(self) -> datetime:
        if self.moments is not None:
            return self.moments[0]
        return self.period.start_at + timedelta(hours=self.hour or 0)

    @property
    def end_at(self) -> datetime:
        if self.moments is not None:
            return self.moments[1]
        return self.period.end_at if self.hour is None else self.start_at + timedelta(hours=1)

    @property
    def filters_skus(self) -> bool:
        """Whether the conditions are about `sku` as well."""
        is_named = self.model_ids or self.usage_types or self.service_tiers or self.providers or self.sku_filters
        return bool(is_named) or self.batch is not None

    @property
    def filters_below_usage_types(self) -> bool:
        """Whether the conditions on `sku` are about more than usage types."""
        is_named = self.model_ids or self.service_tiers or self.providers or self.sku_filters
        return bool(is_named) or self.batch is not None

    @property
    def filtered_dimensions(self) -> tuple[Grouping, ...]:
        return tuple(found.dimension for found in self.values)

    @property
    def dimensions(self) -> tuple[Grouping, ...]:
        """What rows must know of an attribution: for filters, then for parts."""
        group = (self.group,) if self.group.dimensions else ()
        return tuple(dict.fromkeys((*self.filtered_dimensions, *group)))

    def conditions(self, alias: str) -> str:
        """The WHERE clause over a table `alias` of daily rows joined to `sku`; its values are `parameters()`."""
        return f"{alias}.day >= %(start)s AND {alias}.day < %(end)s AND {self.filters(alias)}"

    def filters(self, alias: str, *, by_user: bool = True, by_key: bool = True, by_sku: bool = True) -> str:
        """The part that is not about time or attributions; rows that know no users, keys or SKUs leave these out."""
        filters = [f"{alias}.organization_id = ANY(%(organization_ids)s)"]
        if self.user_ids and by_user:
            filters.append(f"{alias}.user_id = ANY(%(user_ids)s)")
        if self.api_key_ids and by_key:
            filters.append(f"{alias}.api_key_id = ANY(%(api_key_ids)s)")
        return " AND ".join([*filters, *self._filters_of_skus()] if by_sku else filters)

    def _filters_of_skus(self) -> list[str]:
        filters = []
        if self.model_ids:
            filters.append("sku.model_id = ANY(%(model_ids)s)")
        if self.usage_types:
            filters.append("sku.usage_type = ANY(%(usage_types)s)")
        if self.service_tiers:
            filters.append("sku.service_tier = ANY(%(service_tiers)s)")
        if self.providers:
            filters.append("sku.provider = ANY(%(providers)s)")
        if self.batch is not None:
            filters.append("sku.batch = %(batch)s")
        return [*filters, *(f"{found.group.column} = ANY(%({_of(found)})s)" for found in self.sku_filters)]

    def parameters(self) -> dict[str, Any]:
        return {
            "organization_ids": list(self.organization_ids),
            "start": self.period.start,
            "end": self.period.end,
            "start_at": self.start_at,
            "end_at": self.end_at,
            "user_ids": list(self.user_ids),
            "api_key_ids": list(self.api_key_ids),
            "model_ids": list(self.model_ids),
            "usage_types": list(self.usage_types),
            "service_tiers": list(self.service_tiers),
            "providers": list(self.providers),
            "batch": self.batch,
            "as_of": self.as_of,
            **{_of(found): list(found.parts) for found in self.sku_filters},
            **{found.ids_parameter: list(found.dimensions) for found in self.dimensions},
            **{f"values_{place}": list(found.value_ids) for place, found in enumerate(self.values)},
        }


def _of(found: SkuFilter) -> str:
    """The parameter that holds its parts."""
    return f"parts of {found.group.word}"


def fetch(sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of one statement."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
