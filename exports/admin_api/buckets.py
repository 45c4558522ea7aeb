"""One page of buckets of time: whole ones, as many as are few enough together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings

ALL: Final = 2**62


@dataclass(frozen=True)
class Found:
    """One result, or its JSON, in the bucket that begins at `start`; `names`: how people call the ids that it is grouped by."""

    start: datetime
    result: Any
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Buckets:
    """The buckets of a page, empty ones too, each with its start and its results; and where the next page begins."""

    buckets: list[tuple[datetime, list[Any]]]
    end: datetime


Find = Callable[[datetime, datetime, int], list[Found]]
"""The first results between two moments, so many at most, in the order of their buckets."""


def buckets_of(find: Find, start: datetime, end: datetime, width: timedelta) -> Buckets:
    """The page begins at `start` and ends at `end`, or before the bucket with which it would have more than
    ADMIN_API_RESULTS_PER_PAGE results; it has one bucket at least."""
    found, end = _whole_buckets(find, start, end, width)
    by_start: dict[datetime, list[Any]] = {}
    for one in found:
        by_start.setdefault(one.start, []).append(one.result)
    starts = (start + number * width for number in range((end - start) // width))
    return Buckets([(one, by_start.get(one, [])) for one in starts], end)


def _whole_buckets(find: Find, start: datetime, end: datetime, width: timedelta) -> tuple[list[Found], datetime]:
    """Some buckets after the other, as many at once as can be expected to fit: sums are made of nothing beyond the page."""
    most, found, at, step = settings.ADMIN_API_RESULTS_PER_PAGE, list[Found](), start, width
    while at < end:
        until = min(at + step, end)
        found += find(at, until, most + 1 - len(found))
        if len(found) > most:
            return _cut(find, found, width)
        at = until
        fitting = (most - len(found)) * (at - start) // max(len(found), 1)
        step = max(width, fitting // width * width)
    return found, end


def _cut(find: Find, found: list[Found], width: timedelta) -> tuple[list[Found], datetime]:
    """Without the last bucket, of which there may be more; that one alone if it is the first."""
    cut = found[-1].start
    if cut > found[0].start:
        return [one for one in found if one.start < cut], cut
    return find(cut, cut + width, ALL), cut + width
