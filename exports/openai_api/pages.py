"""One page of an answer: whole buckets, empty ones too, and where the next page begins."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from apikeys.adminkeys.authentication import AdminCaller
from exports.admin_api import cursors
from exports.admin_api.buckets import Found, buckets_of
from exports.admin_api.times import WIDTHS, ceiling, moment_of, require_kept, require_past, seconds_of
from exports.openai_api.parameters import Asked
from exports.openai_api.questions import query_of

Read = Callable[..., list[Found]]


def page_of(caller: AdminCaller, asked: Asked, read: Read) -> dict[str, Any]:
    """The page that the request asks for, of the results that `read` finds (`results.usage_results` or `cost_results`).

    Raises InvalidRequestError.
    """
    start, end = _bounds(caller, asked)
    width = WIDTHS[asked.width]

    def find(start: datetime, end: datetime, most: int) -> list[Found]:
        return read(query_of(caller, asked, start, end), asked, caller.organizations, most=most)

    page = buckets_of(find, start, min(start + asked.limit * width, end), width)
    has_more = page.end < end
    position = [seconds_of(page.end), seconds_of(end)]
    return {
        "object": "page",
        "data": [
            {
                "object": "bucket",
                "start_time": seconds_of(start),
                "end_time": seconds_of(start + width),
                "results": results,
            }
            for start, results in page.buckets
        ],
        "has_more": has_more,
        "next_page": cursors.make(position, question=asked.identity, key_id=_key(caller)) if has_more else None,
    }


def _bounds(caller: AdminCaller, asked: Asked) -> tuple[datetime, datetime]:
    """Where this page begins and the last one ends: what was up to now at the first page ends there on all."""
    if asked.page is not None:
        start, end = map(moment_of, cursors.read(asked.page, question=asked.identity, key_id=_key(caller)))
    else:
        start, end = asked.start, asked.end or ceiling(caller.now, asked.width)
    require_past(start, end, name="start_time")
    require_kept(start, asked.width, caller.now, name="start_time")
    return start, end


def _key(caller: AdminCaller) -> str:
    return caller.key.public_id
