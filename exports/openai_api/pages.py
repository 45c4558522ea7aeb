"""One page of an answer: whole buckets, empty ones too, and where the next page begins."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings

from accounts.periods import midnight
from apikeys.adminkeys.api import InvalidRequestError
from apikeys.adminkeys.authentication import AdminCaller
from exports.openai_api import cursors
from exports.openai_api.parameters import EPOCH, WIDTHS, Asked, ceiling
from exports.openai_api.questions import query_of
from exports.openai_api.results import Found, Result

ALL: Final = 2**62
Read = Callable[..., list[Found]]


def page_of(caller: AdminCaller, asked: Asked, read: Read) -> dict[str, Any]:
    """The page that the request asks for, of the results that `read` finds (`results.usage_results` or `cost_results`).

    It has fewer buckets than it may have where they would hold more than ADMIN_API_RESULTS_PER_PAGE results together.
    Raises InvalidRequestError.
    """
    start, end = _bounds(caller, asked)
    width = WIDTHS[asked.width]
    last = min(start + asked.limit * width, end)

    def find(start: datetime, end: datetime, most: int) -> list[Found]:
        return read(query_of(caller, asked, start, end), asked, caller.organizations, most=most)

    found, last = _whole_buckets(find, start, last, width)
    by_bucket: dict[datetime, list[Result]] = {}
    for one in found:
        by_bucket.setdefault(one.start, []).append(one.result)
    has_more = last < end
    return {
        "object": "page",
        "data": [_bucket(start + n * width, width, by_bucket) for n in range((last - start) // width)],
        "has_more": has_more,
        "next_page": cursors.make(asked, key_id=caller.key.public_id, start=last, end=end) if has_more else None,
    }


def _bounds(caller: AdminCaller, asked: Asked) -> tuple[datetime, datetime]:
    """Where this page begins and the last one ends."""
    if asked.page is not None:
        start, end = cursors.read(asked, key_id=caller.key.public_id)
    else:
        start, end = asked.start, asked.end or ceiling(caller.now, asked.width)
    if end <= start:
        raise InvalidRequestError("Invalid 'start_time': it is in the future.", param="start_time")
    kept_since = midnight(caller.now.date() - timedelta(days=settings.USAGE_EVENT_RETENTION_DAYS - 1))
    if asked.width == "1m" and start < kept_since:
        raise InvalidRequestError(
            f"Invalid 'start_time': minutes are kept for {settings.USAGE_EVENT_RETENTION_DAYS} days. "
            "Ask for hours or days.",
            param="start_time",
            code="range_not_kept",
        )
    return start, end


def _whole_buckets(
    find: Callable[[datetime, datetime, int], list[Found]], start: datetime, end: datetime, width: timedelta
) -> tuple[list[Found], datetime]:
    """The results of as many whole buckets as are few enough together, one at least, and where these end."""
    most = settings.ADMIN_API_RESULTS_PER_PAGE
    found = find(start, end, most + 1)
    if len(found) <= most:
        return found, end
    cut = found[-1].start
    if cut > found[0].start:
        return [one for one in found if one.start < cut], cut
    return find(cut, cut + width, ALL), cut + width


def _bucket(start: datetime, width: timedelta, results: dict[datetime, list[Result]]) -> dict[str, Any]:
    return {
        "object": "bucket",
        "start_time": _seconds(start),
        "end_time": _seconds(start + width),
        "results": results.get(start, []),
    }


def _seconds(moment: datetime) -> int:
    return int((moment - EPOCH).total_seconds())
