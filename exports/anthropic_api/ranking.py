"""Rows in an order, page by page, complete and without repeats while events come in.

A cursor holds the last row's place in the order, and the moment that the first page saw the rollups of: later pages see the
usage as it was then, so no row changes its place. (A price that somebody changes meanwhile may move rows of costs.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import groupby
from typing import Any, Final

from django.conf import settings

from apikeys.adminkeys.api import InvalidRequestError
from apikeys.adminkeys.authentication import AdminCaller
from exports.admin_api import cursors
from exports.admin_api.sums import Row
from exports.admin_api.times import WIDTHS, moment_of, seconds_of
from exports.anthropic_api.parameters import groupings_of
from exports.anthropic_api.questions import query_of
from exports.anthropic_api.requests import Asked, bounds_of, step_of
from exports.anthropic_api.shown import shown
from metering.rollups.freshness import complete_through
from metering.usage.as_of import ROLLED_UP_THROUGH
from metering.usage.groupings import USER
from metering.usage.queries import UsageQuery
from metering.usage.sources import Source, bars_by

NO_SLOT: Final = "0"
ARE_MEMBERS: Final = """usage.user_id IN (
    SELECT user_id FROM accounts_membership WHERE organization_id = ANY(%(organization_ids)s) AND left_at IS NULL
)"""


@dataclass(frozen=True)
class Place:
    """Where a page begins: after the row with these `keys`, or with the first. `first_at`: when the first page was asked for;
    every event that was acknowledged before `complete_through` is in it and in all that follow."""

    first_at: datetime
    start: datetime
    end: datetime
    complete_through: datetime
    as_of: datetime | None = None
    keys: tuple[Decimal, ...] = ()


@dataclass(frozen=True)
class Rows:
    """Rows of usage, each of a slot (0 where there are none, else its Unix second) and parts.

    `columns`: their names and expressions.
    """

    bars: Source
    columns: dict[str, str]

    @property
    def names(self) -> str:
        return ", ".join(self.columns)

    @property
    def selected(self) -> str:
        return ", ".join(f"{expression} AS {name}" for name, expression in self.columns.items())


@dataclass(frozen=True)
class Ranked:
    """One row of the order, or as many as belong together: the keys that it is ordered by, what it is of, and its figures."""

    keys: tuple[Decimal, ...]
    slot: int
    parts: tuple[int, ...]
    figures: list[Row]


Read = Callable[..., list[Row]]
"""Of a query, what is asked and a Place: (the moment whose rollups were read, keys, slot, parts, figures) of up to `limit` + 1
rows of the order from there on."""
Show = Callable[..., list[dict[str, Any]]]
"""Of a Ranked, what is asked and Shown: its items."""


def page_of(caller: AdminCaller, asked: Asked, read: Read, show: Show) -> dict[str, Any]:
    """Raises InvalidRequestError."""
    place = _place(caller, asked)
    query = query_of(
        caller,
        asked.filters,
        (place.start, place.end),
        width=step_of(asked, place.start, place.end),
        by_project="workspace_id" in asked.group_by,
    )
    rows = read(replace(query, as_of=place.as_of), asked, place)
    ranked = _ranked(rows, asked) or _nothing(asked)
    page, has_more = ranked[: asked.limit], len(ranked) > asked.limit
    names = shown([(one.slot, *one.parts) for one in page], asked.group_by, caller)
    return {
        "data": [_bounds(asked, place, one.slot) | item for one in page for item in show(one, asked, names)],
        "has_more": has_more,
        "next_page": _cursor(caller, asked, place, rows[0][0], page[-1]) if has_more else None,
        "data_refreshed_at": f"{place.complete_through:%Y-%m-%dT%H:%M:%SZ}",
    }


def rows_of(query: UsageQuery, asked: Asked) -> Rows:
    groups = groupings_of(asked.group_by)
    bars, parts = bars_by(query, groups)
    if asked.without_deleted and USER in groups:
        bars = bars.narrowed(ARE_MEMBERS)
    slot = NO_SLOT if asked.width is None else f"extract(epoch FROM {bars.slot})"
    columns = {"slot": f"({slot})::bigint"}
    return Rows(bars, columns | {f"part_{place}": f"({part})::bigint" for place, part in enumerate(parts)})


def keys_of(asked: Asked, rows: Rows) -> list[str]:
    """The expressions that the order is by, all of them upwards: of the metric, the slot and the parts."""
    sign = "-" if asked.is_descending else ""
    first = [f"{sign}slot", f"-{asked.metric}"] if asked.is_by_time else [f"{sign}{asked.metric}", "slot"]
    return [*first, *(name for name in rows.columns if name != "slot")]


def after(keys: Sequence[str], place: Place) -> tuple[str, dict[str, Decimal]]:
    """The condition that a row stands behind the place, and its parameters."""
    if not place.keys:
        return "true", {}
    values = ", ".join(f"%(after_{number})s::numeric" for number, _ in enumerate(place.keys))
    return f"({', '.join(keys)}) > ({values})", {f"after_{number}": key for number, key in enumerate(place.keys)}


def through(query: UsageQuery) -> str:
    """The expression of the moment whose rollups are read."""
    return ROLLED_UP_THROUGH if query.as_of is None else "%(as_of)s::timestamptz"


def _ranked(rows: Sequence[Row], asked: Asked) -> list[Ranked]:
    num_groups = len(groupings_of(asked.group_by))
    num_keys = num_groups + 2
    end = num_keys + 2 + num_groups
    return [
        Ranked(tuple(keys), row[0][num_keys + 1], tuple(row[0][num_keys + 2 : end]), [one[end:] for one in row])
        for keys, found in groupby(rows, key=lambda row: row[1 : num_keys + 1])
        for row in (list(found),)
    ]


def _nothing(asked: Asked) -> list[Ranked]:
    return [] if asked.is_divided else [Ranked((), 0, (), [(Decimal(),) * asked.endpoint.num_figures])]


def _bounds(asked: Asked, place: Place, slot: int) -> dict[str, Any]:
    start, end = place.start, place.end
    if asked.width is not None:
        start = moment_of(slot)
        end = start + WIDTHS[asked.width]
    return {"starting_at": f"{start:%Y-%m-%dT%H:%M:%SZ}", "ending_at": f"{end:%Y-%m-%dT%H:%M:%SZ}"}


def _place(caller: AdminCaller, asked: Asked) -> Place:
    if asked.page is None:
        return Place(caller.now, *bounds_of(asked, caller), complete_through())
    position = cursors.read(asked.page, question=asked.identity, key_id=caller.key.public_id)
    try:
        first_at, start, end, through, as_of, *keys = position
        place = Place(
            moment_of(first_at),
            moment_of(start),
            moment_of(end),
            moment_of(through),
            datetime.fromisoformat(as_of),
            tuple(map(Decimal, keys)),
        )
    except (ValueError, TypeError, InvalidOperation):
        raise _refusal("it is not of this address") from None
    if caller.now - place.first_at > timedelta(hours=settings.ADMIN_API_CURSOR_HOURS):
        raise _refusal(f"a cursor holds for {settings.ADMIN_API_CURSOR_HOURS} hours after the first page")
    return place


def _refusal(why: str) -> InvalidRequestError:
    return InvalidRequestError(f"Invalid 'page': {why}. Begin again without it.", param="page", code="invalid_cursor")


def _cursor(caller: AdminCaller, asked: Asked, place: Place, as_of: datetime, last: Ranked) -> str:
    moments = map(seconds_of, (place.first_at, place.start, place.end, place.complete_through))
    position = [*moments, as_of.isoformat(), *(f"{key}" for key in last.keys)]
    return cursors.make(position, question=asked.identity, key_id=caller.key.public_id)
