"""What a request for the older reports asks for: whole buckets of time, page by page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.http import QueryDict

from apikeys.adminkeys.api import InvalidRequestError
from exports.admin_api.query_strings import gathered, limit_of, one_of, require, single
from exports.admin_api.times import ceiling, floor
from exports.anthropic_api.parameters import Filters, filters_of, groups_of, moment, require_known

OURS: Final = "organization_id"
"""A group that the vendor's reports do not have: the keys of a parent read several organizations."""
DESCRIPTION: Final = "description"


@dataclass(frozen=True)
class Report:
    """`groups`: the vendor's, which results always have as fields; `limits`: of each width of a bucket, how many are in a page
    if nothing is said, and at most."""

    name: str
    groups: tuple[str, ...]
    filters: tuple[str, ...]
    limits: Mapping[str, tuple[int, int]]


MESSAGES: Final = Report(
    name="messages",
    groups=(
        *("account_id", "api_key_id", "context_window", "inference_geo", "model"),
        *("service_account_id", "service_tier", "speed", "workspace_id"),
    ),
    filters=(
        *("account_ids", "api_key_ids", "context_window", "inference_geos", "models"),
        *("organization_ids", "service_tiers", "speeds", "workspace_ids"),
    ),
    limits={"1d": (7, 31), "1h": (24, 168), "1m": (60, 1440)},
)
COST: Final = Report(
    name="cost_report",
    groups=("workspace_id", DESCRIPTION),
    filters=("organization_ids", "workspace_ids"),
    limits={"1d": (7, 31)},
)


@dataclass(frozen=True)
class Asked:
    """What a request asks for. `end` None: up to now. `limit`: buckets in a page."""

    report: Report
    start: datetime
    end: datetime | None
    width: str
    limit: int
    group_by: tuple[str, ...]
    filters: Filters
    page: str | None

    @property
    def identity(self) -> list[object]:
        """What stays the same from page to page."""
        filters = sorted((name, sorted(values)) for name, values in self.filters.items())
        end = None if self.end is None else self.end.isoformat()
        return [self.report.name, self.start.isoformat(), end, self.width, sorted(self.group_by), filters]


def read(query: QueryDict, report: Report) -> Asked:
    """Raises InvalidRequestError."""
    given = gathered(query)
    others = ("starting_at", "ending_at", "bucket_width", "group_by", "limit", "page")
    require_known(given, (*report.filters, *others))
    width = one_of("bucket_width", single(given, "bucket_width") or "1d", tuple(report.limits))
    require(given, "starting_at")
    start, end = moment(given, "starting_at"), moment(given, "ending_at")
    assert start is not None
    if end is not None and end <= start:
        raise InvalidRequestError("Invalid 'ending_at': it must be after 'starting_at'.", param="ending_at")
    return Asked(
        report=report,
        start=floor(start, width),
        end=None if end is None else ceiling(end, width),
        width=width,
        limit=limit_of(given, *report.limits[width]),
        group_by=groups_of(given, (*report.groups, OURS), most=len(report.groups) + 1),
        filters=filters_of(given, report.filters),
        page=single(given, "page"),
    )
