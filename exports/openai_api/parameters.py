"""From the query string of a request to what it asks for, with the vendor's sentence for what cannot be asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.http import QueryDict

from accounts.periods import LAST_YEAR
from apikeys.adminkeys.api import InvalidRequestError
from exports.admin_api.query_strings import (
    Given,
    gathered,
    limit_of,
    not_told_apart,
    one_of,
    require,
    require_between,
    single,
    truth_of,
    unknown,
    values_of,
    whole_number,
)
from exports.admin_api.times import ceiling, floor, moment_of
from exports.openai_api.endpoints import Endpoint

LAST_MOMENT: Final = int(datetime(LAST_YEAR, 12, 31, tzinfo=UTC).timestamp())
OUR_GROUP: Final = "organization_id"
OUR_FILTER: Final = "organization_ids"
WHOLE_VALUES: Final = ("line_items",)
"""Arrays whose values have commas in them: they are not divided there."""


@dataclass(frozen=True)
class Asked:
    """What a request asks for. `end` None: up to now. `limit`: buckets in a page. A filter that is absent is not in `filters`."""

    endpoint: Endpoint
    start: datetime
    end: datetime | None
    width: str
    limit: int
    group_by: tuple[str, ...]
    filters: Mapping[str, tuple[str, ...]]
    batch: bool | None
    page: str | None

    @property
    def identity(self) -> list[object]:
        """What stays the same from page to page."""
        filters = sorted((name, sorted(values)) for name, values in self.filters.items())
        end = None if self.end is None else self.end.timestamp()
        groups = sorted(self.group_by)
        return [self.endpoint.name, self.start.timestamp(), end, self.width, groups, filters, self.batch]


def read(query: QueryDict, endpoint: Endpoint) -> Asked:
    """Raises InvalidRequestError."""
    given = _plural(gathered(query), endpoint)
    _require_known(given, endpoint)
    width = one_of("bucket_width", single(given, "bucket_width") or "1d", tuple(endpoint.limits))
    require(given, "start_time")
    start, end = _moment(given, "start_time"), _moment(given, "end_time")
    assert start is not None
    if end is not None and end <= start:
        raise InvalidRequestError("Invalid 'end_time': it must be after 'start_time'.", param="end_time")
    groups = dict.fromkeys(values_of(given, "group_by"))
    for place, name in enumerate(groups):
        one_of(f"group_by[{place}]", name, (*endpoint.groups, OUR_GROUP))
    return Asked(
        endpoint=endpoint,
        start=floor(start, width),
        end=None if end is None else ceiling(end, width),
        width=width,
        limit=limit_of(given, *endpoint.limits[width]),
        group_by=tuple(groups),
        filters={
            name: values_of(given, name, is_divided=name not in WHOLE_VALUES)
            for name in (*endpoint.filters, OUR_FILTER)
            if name in given
        },
        batch=truth_of(given, "batch"),
        page=single(given, "page"),
    )


def _plural(given: Given, endpoint: Endpoint) -> Given:
    """Filters by one value are found in the wild without the plural's s: `project_id=proj_…`. They are not passed over, because
    the answer would have too much in it."""
    plurals = {name.removesuffix("s"): name for name in (*endpoint.filters, *endpoint.refused, OUR_FILTER)}
    found: dict[str, list[str]] = {}
    for name, values in given.items():
        found.setdefault(plurals.get(name, name), []).extend(values)
    return found


def _require_known(given: Given, endpoint: Endpoint) -> None:
    known = {"start_time", "end_time", "bucket_width", "group_by", "limit", "page", OUR_FILTER, *endpoint.filters}
    if endpoint.takes_batch:
        known.add("batch")
    for name in given:
        if name in endpoint.refused:
            raise not_told_apart(name)
        if name not in known:
            raise unknown(name)


def _moment(given: Given, name: str) -> datetime | None:
    seconds = whole_number(given, name)
    if seconds is None:
        return None
    require_between(name, seconds, 0, LAST_MOMENT, " It is in Unix seconds.")
    return moment_of(seconds)
