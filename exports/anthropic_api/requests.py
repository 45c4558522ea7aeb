"""What a request for the newer reports asks for (`/v1/organizations/analytics/…`): rows in an order, page by page."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.http import QueryDict

from apikeys.adminkeys.api import InvalidRequestError
from apikeys.adminkeys.authentication import AdminCaller
from exports.admin_api.query_strings import gathered, limit_of, one_of, require, single, truth_of
from exports.admin_api.times import ceiling, floor, require_kept, require_past
from exports.anthropic_api.groups import ACTOR_TYPE, KNOWN, NOT_KNOWN
from exports.anthropic_api.parameters import Filters, filters_of, groups_of, moment, require_known

FILTERS: Final = (
    "actor_ids",
    "actor_types",
    "api_key_ids",
    "context_windows",
    "inference_geos",
    "models",
    "organization_ids",
    "service_tiers",
    "speeds",
    "workspace_ids",
)
OTHERS: Final = (
    *("starting_at", "ending_at", "time_bucket_width", "group_by", "order", "order_by", "limit", "page"),
    "exclude_deleted_users",
)
GROUPS: Final = (*(name for name in KNOWN if name != "account_id"), ACTOR_TYPE, *NOT_KNOWN)
LIMIT: Final = (20, 1_000)
LONGEST: Final = timedelta(days=31)
LONGEST_OF_MINUTES: Final = timedelta(days=1)
TIME: Final = "time"


@dataclass(frozen=True)
class Endpoint:
    """`metrics`: what rows can be ordered by, the first if nothing is said. `fan_out`: groups whose rows belong together on a
    page, and count as one. `num_figures`: how many figures a row has."""

    name: str
    num_figures: int
    metrics: tuple[str, ...]
    fan_out: tuple[str, ...] = ()


USAGE: Final = Endpoint("usage", 8, ("total_tokens", "output_tokens", "requests", "uncached_input_tokens"))
COST: Final = Endpoint("cost", 5, ("amount", "list_amount"), ("cost_type", "token_type"))


@dataclass(frozen=True)
class Asked:
    """What a request asks for. `width` None: each row is of the whole time. A filter that is absent is not in `filters`."""

    endpoint: Endpoint
    start: datetime
    end: datetime | None
    width: str | None
    group_by: tuple[str, ...]
    filters: Filters
    order_by: str
    is_descending: bool
    without_deleted: bool
    limit: int
    page: str | None

    @property
    def identity(self) -> list[object]:
        """What stays the same from page to page."""
        filters = sorted((name, sorted(values)) for name, values in self.filters.items())
        end = None if self.end is None else self.end.isoformat()
        whole = [self.endpoint.name, self.start.isoformat(), end, self.width, sorted(self.group_by), filters]
        return [*whole, self.order_by, self.is_descending, self.without_deleted]

    @property
    def fan_out(self) -> tuple[str, ...]:
        return tuple(name for name in self.group_by if name in self.endpoint.fan_out)

    @property
    def is_divided(self) -> bool:
        """Whether anything tells rows apart: else there is one, of everything, even of nothing at all."""
        return bool(self.group_by or self.width)

    @property
    def is_by_time(self) -> bool:
        return self.order_by == TIME and self.width is not None

    @property
    def metric(self) -> str:
        """What rows, or those of a bucket, are ordered by."""
        return self.endpoint.metrics[0] if self.order_by == TIME else self.order_by


def read(query: QueryDict, endpoint: Endpoint, now: datetime) -> Asked:
    """Raises InvalidRequestError."""
    given = gathered(query)
    require_known(given, (*FILTERS, *OTHERS))
    width = single(given, "time_bucket_width")
    if width is not None:
        one_of("time_bucket_width", width, ("1d", "1h", "1m"))
        require(given, "ending_at")
    require(given, "starting_at")
    start, end = moment(given, "starting_at"), moment(given, "ending_at")
    assert start is not None
    require_past(start, now, name="starting_at")
    _require_range(start, end, width)
    groups = groups_of(given, (*GROUPS, *endpoint.fan_out), uncounted=endpoint.fan_out)
    return Asked(
        endpoint=endpoint,
        start=floor(start, width or "1h"),
        end=None if end is None else _end(end, width),
        width=width,
        group_by=groups,
        filters=filters_of(given, FILTERS),
        order_by=one_of("order_by", single(given, "order_by") or endpoint.metrics[0], (*endpoint.metrics, TIME)),
        is_descending=one_of("order", single(given, "order") or "desc", ("asc", "desc")) == "desc",
        without_deleted=_without_deleted(truth_of(given, "exclude_deleted_users"), groups),
        limit=limit_of(given, *LIMIT),
        page=single(given, "page"),
    )


def bounds_of(asked: Asked, caller: AdminCaller) -> tuple[datetime, datetime]:
    """The time that the rows of a first page are of: without `ending_at` 31 days, or up to this hour. Raises
    InvalidRequestError where that is nothing, or not kept any more."""
    end = asked.end or min(floor(caller.now, "1h"), asked.start + LONGEST)
    if end <= asked.start:
        raise InvalidRequestError(
            "Invalid 'ending_at': without 'time_bucket_width' rows are of whole hours, and there is none in this range.",
            param="ending_at",
        )
    if asked.width is not None or not _is_of_days(asked.start, end):
        require_kept(asked.start, asked.width or "1h", caller.now, name="starting_at")
    return asked.start, end


def step_of(asked: Asked, start: datetime, end: datetime) -> str:
    """The widest buckets that the time is made of."""
    return asked.width or ("1d" if _is_of_days(start, end) else "1h")


def _is_of_days(start: datetime, end: datetime) -> bool:
    return floor(start, "1d") == start and floor(end, "1d") == end


def _end(end: datetime, width: str | None) -> datetime:
    return floor(end, "1h") if width is None else ceiling(end, width)


def _require_range(start: datetime, end: datetime | None, width: str | None) -> None:
    if end is None:
        return
    if end <= start:
        raise InvalidRequestError("Invalid 'ending_at': it must be after 'starting_at'.", param="ending_at")
    longest, words = (LONGEST_OF_MINUTES, "24 hours of minutes") if width == "1m" else (LONGEST, "31 days")
    if end - start > longest:
        raise InvalidRequestError(
            f"Invalid 'ending_at': the range may span at most {words}.", param="ending_at", code="range_too_long"
        )


def _without_deleted(said: bool | None, groups: tuple[str, ...]) -> bool:  # noqa: FBT001 - what a parameter says
    if said and "actor" not in groups:
        raise InvalidRequestError(
            "Invalid 'exclude_deleted_users': it requires 'group_by[]=actor'.", param="exclude_deleted_users"
        )
    return bool(said)
