"""From the query string of a request to what it asks for, with the vendor's sentence for what cannot be asked."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.http import QueryDict

from accounts.periods import LAST_YEAR
from apikeys.adminkeys.api import InvalidRequestError
from exports.openai_api.endpoints import Endpoint

WIDTHS: Final = {"1m": timedelta(minutes=1), "1h": timedelta(hours=1), "1d": timedelta(days=1)}
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MOMENT: Final = int(datetime(LAST_YEAR, 12, 31, tzinfo=UTC).timestamp())
ARRAY_MARK: Final = re.compile(r"\[\d{0,4}\]$")
WHOLE_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")
MAX_VALUES: Final = 1_000
MAX_LENGTH: Final = 300
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
    """Raises InvalidRequestError. Arrays are read as `a=1&a=2`, `a[]=1&a[]=2`, `a[0]=1` and `a=1,2`."""
    given = _gathered(query)
    _require_known(given, endpoint)
    width = _one_of("bucket_width", _single(given, "bucket_width") or "1d", tuple(endpoint.limits))
    if "start_time" not in given:
        raise InvalidRequestError(
            "Missing required parameter: 'start_time'.", param="start_time", code="missing_required_parameter"
        )
    start, end = _moment(given, "start_time"), _moment(given, "end_time")
    assert start is not None
    if end is not None and end <= start:
        raise InvalidRequestError("Invalid 'end_time': it must be after 'start_time'.", param="end_time")
    groups = dict.fromkeys(_values(given, "group_by"))
    for place, name in enumerate(groups):
        _one_of(f"group_by[{place}]", name, (*endpoint.groups, OUR_GROUP))
    return Asked(
        endpoint=endpoint,
        start=_floor(start, width),
        end=None if end is None else ceiling(end, width),
        width=width,
        limit=_limit(given, *endpoint.limits[width]),
        group_by=tuple(groups),
        filters={name: _values(given, name) for name in (*endpoint.filters, OUR_FILTER) if name in given},
        batch=_batch(given),
        page=_single(given, "page"),
    )


def ceiling(moment: datetime, width: str) -> datetime:
    """The end of the bucket that the time before this moment is in."""
    floor = _floor(moment, width)
    return floor if floor == moment else floor + WIDTHS[width]


def _floor(moment: datetime, width: str) -> datetime:
    return EPOCH + (moment - EPOCH) // WIDTHS[width] * WIDTHS[width]


def _gathered(query: QueryDict) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    for name, values in query.lists():
        given.setdefault(ARRAY_MARK.sub("", name), []).extend(map(str, values))
    for name, values in given.items():
        if any("\0" in value or len(value) > MAX_LENGTH * MAX_VALUES for value in values):
            raise InvalidRequestError(f"Invalid value for '{name[:40]}'.", param=name[:40], code="invalid_value")
    return given


def _require_known(given: Mapping[str, object], endpoint: Endpoint) -> None:
    known = {"start_time", "end_time", "bucket_width", "group_by", "limit", "page", OUR_FILTER, *endpoint.filters}
    if endpoint.takes_batch:
        known.add("batch")
    for name in given:
        if name in endpoint.refused:
            raise InvalidRequestError(
                f"Unsupported parameter: '{name}'. What usage is told apart by it is not known here.",
                param=name,
                code="unsupported_parameter",
            )
        if name not in known:
            raise InvalidRequestError(f"Unknown parameter: '{name[:40]}'.", param=name[:40], code="unknown_parameter")


def _single(given: Mapping[str, Sequence[str]], name: str) -> str | None:
    return given[name][-1] if name in given else None


def _values(given: Mapping[str, Sequence[str]], name: str) -> tuple[str, ...]:
    found = given.get(name, ())
    values = found if name in WHOLE_VALUES else [part for value in found for part in value.split(",")]
    values = [value.strip() for value in values if value.strip()]
    if len(values) > MAX_VALUES or any(len(value) > MAX_LENGTH for value in values):
        raise InvalidRequestError(
            f"Invalid '{name}': at most {MAX_VALUES} values of {MAX_LENGTH} characters.",
            param=name,
            code="array_above_max_length",
        )
    return tuple(values)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        *others, last = (f"'{one}'" for one in allowed)
        shown = f"{', '.join(others)}, and {last}" if others else last
        raise InvalidRequestError(
            f"Invalid value: '{value[:40]}'. Supported values are: {shown}.", param=name, code="invalid_value"
        )
    return value


def _whole(given: Mapping[str, Sequence[str]], name: str) -> int | None:
    text = _single(given, name)
    if text is None:
        return None
    if not WHOLE_NUMBER.fullmatch(text):
        raise InvalidRequestError(
            f"Invalid type for '{name}': expected an integer, but got '{text[:40]}' instead.",
            param=name,
            code="invalid_type",
        )
    return int(text)


def _moment(given: Mapping[str, Sequence[str]], name: str) -> datetime | None:
    seconds = _whole(given, name)
    if seconds is None:
        return None
    _require_between(name, seconds, 0, LAST_MOMENT, " It is in Unix seconds.")
    return EPOCH + timedelta(seconds=seconds)


def _limit(given: Mapping[str, Sequence[str]], default: int, most: int) -> int:
    limit = _whole(given, "limit")
    if limit is None:
        return default
    _require_between("limit", limit, 1, most)
    return limit


def _require_between(name: str, number: int, least: int, most: int, hint: str = "") -> None:
    side, sign, bound = ("below minimum", ">=", least) if number < least else ("above maximum", "<=", most)
    if not least <= number <= most:
        raise InvalidRequestError(
            f"Invalid '{name}': integer {side} value. Expected a value {sign} {bound}, but got {number} instead.{hint}",
            param=name,
            code=f"integer_{side.replace(' ', '_')}_value".replace("minimum", "min").replace("maximum", "max"),
        )


def _batch(given: Mapping[str, Sequence[str]]) -> bool | None:
    text = _single(given, "batch")
    return None if text is None else _one_of("batch", text.lower(), ("true", "false")) == "true"
