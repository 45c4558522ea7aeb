"""Lists of OpenAI's admin API: `limit` rows after the one with the id `after`, in the order in which they were made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import QuerySet
from django.http import QueryDict

from apikeys.adminkeys.api import InvalidRequestError
from exports.admin_api.query_strings import ARRAY_MARK, WHOLE_NUMBER, unknown

DEFAULT: Final = 20
MOST: Final = 100
Row = dict[str, Any]


@dataclass(frozen=True)
class Window:
    """Which rows of a list a request asks for."""

    limit: int
    after: str | None
    is_descending: bool = False


def window_of(query: QueryDict, *, known: tuple[str, ...] = ()) -> Window:
    """`known`: what else the address takes. Raises InvalidRequestError."""
    for name in query:
        if ARRAY_MARK.sub("", name) not in ("limit", "after", *known):
            raise unknown(name)
    limit = query.get("limit", str(DEFAULT))
    if not WHOLE_NUMBER.fullmatch(limit) or not 1 <= int(limit) <= MOST:
        raise InvalidRequestError(f"Invalid 'limit': a whole number from 1 to {MOST}.", param="limit")
    order = query.get("order", "asc")
    if order not in ("asc", "desc"):
        raise InvalidRequestError(
            f"Invalid value: '{order[:40]}'. Supported values are: 'asc', and 'desc'.",
            param="order",
            code="invalid_value",
        )
    return Window(int(limit), query.get("after") or None, order == "desc")


def list_of(
    rows: "QuerySet[Any]", window: Window, show: Callable[[list[Any]], list[Row]], *, first: Row | None = None
) -> Row:
    """The list as it is answered. `first` stands before all rows. Raises InvalidRequestError for an unknown `after`."""
    shown = [first] if first is not None and window.after is None else []
    if window.after is not None and not (first is not None and window.after == first["id"]):
        rows = _after(rows, window)
    found = list(rows.order_by("-pk" if window.is_descending else "pk")[: window.limit + 1])
    shown = [*shown, *show(found)]
    data = shown[: window.limit]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": len(shown) > window.limit,
    }


def _after(rows: "QuerySet[Any]", window: Window) -> "QuerySet[Any]":
    last = rows.filter(public_id=(window.after or "").replace("\0", "")).first()
    if last is None:
        raise InvalidRequestError(f"Invalid 'after': there is no '{(window.after or '')[:40]}' here.", param="after")
    return rows.filter(pk__lt=last.pk) if window.is_descending else rows.filter(pk__gt=last.pk)
