"""Where an event counts: a pure function of the key, the organization that the request named, and the event's own time.

The rules are in product.md, section 2. The answer is decided once, when the event arrives, and stored with it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntFlag
from typing import Final, TypeVar

T = TypeVar("T")


class Route(IntFlag):
    """Why an event counts where it does. Stored as a number with each event."""

    NAMED = 1  # the request named the organization
    DEFAULT = 2  # the organization was the user's default one at that time
    TRACKED = 4  # the key was tracked at that time


ATTRIBUTED: Final = Route.DEFAULT | Route.TRACKED
"""Usage shows its API key only with both bits; else it reads Untracked."""


NO_PURPOSE: Final[tuple[int, Mapping[str, str]]] = (0, {})


class NotAMemberError(Exception):
    """The key's user was not in the organization that the request named, or was in none, at the event's time."""


@dataclass(frozen=True, slots=True)
class KeyHistory:
    """One key with all that routing may ask about it. Changes are (effective_at, value) in order of time."""

    id: int
    public_id: str
    user_id: int
    defaults: Sequence[tuple[datetime, int]]
    tracking: Sequence[tuple[datetime, bool]]
    memberships: Sequence[tuple[int, datetime, datetime | None]]
    """(organization, from, until) of each; the one that would become the default organization first comes first."""
    ended_at: datetime | None
    """When the key was revoked or expired: its usage counts until then."""
    attributions: Mapping[int, Sequence[tuple[datetime, int, Mapping[str, str]]]] = field(default_factory=dict)
    """By organization: what its usage there is for, as (effective_at, project, values by attribute's name)."""
    constant: tuple[int, int] | None = field(init=False, default=None)
    """(organization, route) of every event that names no organization, for the common key whose state never changed."""

    def __post_init__(self) -> None:
        if len(self.defaults) == 1 and len(self.tracking) == 1 and self._never_left(self.defaults[0][1]):
            route = Route.DEFAULT | (Route.TRACKED if self.tracking[0][1] else 0)
            object.__setattr__(self, "constant", (self.defaults[0][1], int(route)))

    def _never_left(self, organization: int) -> bool:
        ends = [left_at for member_of, _, left_at in self.memberships if member_of == organization]
        return bool(ends) and not any(ends)


def route(key: KeyHistory, *, named: int | None, at: datetime) -> tuple[int, int]:
    """(organization id, bits of Route) of an event of `key` at time `at` that named the organization `named`, or none.

    Raises NotAMemberError.
    """
    if named is None and key.constant is not None:
        return key.constant
    if not key.defaults:
        raise NotAMemberError
    default = _default_at(key, at)
    bits = Route.TRACKED if _state_at(key.tracking, at) else Route(0)
    if named is None:
        if default is None:
            raise NotAMemberError
        return default, int(bits | Route.DEFAULT)
    if not _was_member(key, named, at):
        raise NotAMemberError
    return named, int(bits | Route.NAMED | (Route.DEFAULT if named == default else 0))


def earlier_homes(key: KeyHistory, *, at: datetime, ahead: timedelta) -> list[int]:
    """Organizations in which an event at `at` that names none may already be stored, each once: those that were the default
    before a switch within `ahead` before `at`.

    Events may be dated up to `ahead` into the future. One that arrived before the switch, dated after it, was routed
    by the state that held then; sent again after the switch it must be found there, and not count a second time.
    """
    first = bisect_left(key.defaults, at - ahead, key=_moment)
    behind = bisect_right(key.defaults, at, key=_moment)
    return list(dict.fromkeys(organization for _, organization in key.defaults[max(first, 1) - 1 : behind - 1]))


def purpose_of_key(key: KeyHistory, organization_id: int, at: datetime) -> tuple[int, Mapping[str, str]]:
    """(project or 0, values by attribute's name) of what usage of `key` in the organization is for at `at`, unless an event
    says otherwise. Nothing before the first choice."""
    changes = key.attributions.get(organization_id, ())
    position = bisect_right(changes, at, key=lambda change: change[0])
    return changes[position - 1][1:] if position else NO_PURPOSE


def _moment(change: tuple[datetime, object]) -> datetime:
    return change[0]


def _default_at(key: KeyHistory, at: datetime) -> int | None:
    """The default organization in force at `at`, if the user had not left it by then; else what would have become it.

    The database lets nobody's default organization be one that they are not in. Where a history says otherwise, usage
    goes to the next organization that the user was in at that time, as if they had been removed in the usual way, and to
    none if there is none: never to people whom they have left.
    """
    default = _state_at(key.defaults, at)
    if _was_member(key, default, at) or _joined_later(key, default, at):
        return default
    return next((found for found, *_ in key.memberships if _was_member(key, found, at)), None)


def _joined_later(key: KeyHistory, organization_id: int, at: datetime) -> bool:
    """The first default organization holds for all times before, so also for those before the user was in it."""
    joined = [joined_at for member_of, joined_at, _ in key.memberships if member_of == organization_id]
    return bool(joined) and at < min(joined)


def _state_at(changes: Sequence[tuple[datetime, T]], at: datetime) -> T:
    """The state in force at `at`; the first one also holds for times before it."""
    if len(changes) == 1:
        return changes[0][1]
    position = bisect_right(changes, at, key=_moment)
    return changes[max(position - 1, 0)][1]


def _was_member(key: KeyHistory, organization_id: int, at: datetime) -> bool:
    return any(
        organization_id == member_of and joined_at <= at and (left_at is None or at < left_at)
        for member_of, joined_at, left_at in key.memberships
    )
