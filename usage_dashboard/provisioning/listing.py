"""Pages of what is provisioned, by a signed cursor that says of which kind it is and what was shown last."""

from dataclasses import dataclass
from typing import Any, Final

from django.core.signing import BadSignature, Signer
from django.http import QueryDict

from apikeys.adminkeys.api import InvalidRequestError
from usage_dashboard.provisioning.lines import Kind

DEFAULT: Final = 100
MOST: Final = 1_000
_signer: Final = Signer(salt="usage_dashboard.provisioning.listing")


@dataclass(frozen=True)
class Window:
    """Which rows a request asks for: at most `limit`, those after the one with the key `after`."""

    limit: int
    after: int


def window_of(query: QueryDict, kind: Kind) -> Window:
    """Raises InvalidRequestError."""
    for name in query:
        if name not in ("limit", "cursor"):
            raise InvalidRequestError(f"There is no parameter “{name[:40]}” here.", param=name[:40])
    limit = query.get("limit", str(DEFAULT))
    if not limit.isascii() or not limit.isdecimal() or not 1 <= int(limit[:9]) <= MOST:
        raise InvalidRequestError(f"“limit” is a whole number from 1 to {MOST}.", param="limit")
    return Window(int(limit), _after(str(query["cursor"]), kind) if "cursor" in query else 0)


def page_of(kind: Kind, window: Window) -> dict[str, Any]:
    """The rows in the order in which they were made here, and the cursor of the next page, null on the last one."""
    found = list(kind.rows().filter(pk__gt=window.after).order_by("pk")[: window.limit + 1])
    rows = found[: window.limit]
    more = len(found) > window.limit
    return {
        "data": kind.show(rows),
        "next_cursor": _signer.sign_object([kind.name, rows[-1].pk]) if more else None,
        "has_more": more,
    }


def _after(cursor: str, kind: Kind) -> int:
    try:
        name, after = _signer.unsign_object(cursor)
    except (BadSignature, ValueError, TypeError):
        name, after = "", 0
    if name != kind.name:
        raise InvalidRequestError(
            "This cursor is not of this list. Send “next_cursor” of the answer before.",
            param="cursor",
            code="invalid_cursor",
        )
    return int(after)
