"""Lists of OpenAI's admin API: `limit` rows after the one with the id `after`, in the order in which they were made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import QuerySet

from apikeys.adminkeys.api import InvalidRequestError
from exports.admin_api.query_strings import Given, limit_of, one_of, single, unknown

DEFAULT: Final = 20
MOST: Final = 100
Row = dict[str, Any]


@dataclass(frozen=True)
class Window:
    """Which rows of a list a request asks for."""

    limit: int
    after: str | None
    is_descending: bool = False


def window_of(given: Given, *, known: tuple[str, ...] = ()) -> Window:
    """`known`: what else the address takes. Raises InvalidRequestError."""
    for name in given:
        if name not in ("limit", "after", *known):
            raise unknown(name)
    order = one_of("order", single(given, "order") or "asc", ("asc", "desc"))
    return Window(limit_of(given, DEFAULT, MOST), single(given, "after") or None, order == "desc")


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
    last = rows.filter(public_id=window.after).first()
    if last is None:
        raise InvalidRequestError(f"Invalid 'after': there is no '{(window.after or '')[:40]}' here.", param="after")
    return rows.filter(pk__lt=last.pk) if window.is_descending else rows.filter(pk__gt=last.pk)
