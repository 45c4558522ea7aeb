"""The values that provisioning is about: a line of what shall be, what it comes to, and how it is answered."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from django.db.models import QuerySet

from accounts.audit.audit import Actor
from accounts.models import Organization, User

Act = Callable[[datetime, Actor], object]
"""A change to what is there already, by a function of the domain; the moment is that of the transaction."""


class Status(StrEnum):
    """What became of a line."""

    CREATED = "created"
    CHANGED = "changed"
    ENDED = "ended"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class RefusedError(Exception):
    """A line that cannot be; the code is stable, `param` names the field that it is about."""

    def __init__(self, code: str, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


@dataclass(frozen=True)
class Line:
    """`external_id`, which is the operator's own, shall be as `fields` say, or be ended. Fields that are absent stay as they
    are. `number` is its place in what was sent."""

    kind: str
    external_id: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    is_end: bool = False
    effective_at: datetime | None = None
    number: int = 0


@dataclass
class Decision:
    """What a line comes to: a `new` row, `acts` on the one that there is, or neither. `people` are those whose usage it may
    lead elsewhere, `organizations` those of which it changes something."""

    line: Line
    status: Status = Status.UNCHANGED
    row: Any = None
    new: Any = None
    acts: list[Act] = field(default_factory=list)
    people: tuple[User, ...] = ()
    organizations: tuple[Organization, ...] = ()
    secret: str | None = None
    error: RefusedError | None = None
    gives_default: bool = False
    """Of a new membership: whether the organization becomes the first default one of the person."""

    @property
    def is_change(self) -> bool:
        return self.error is None and (self.new is not None or bool(self.acts))

    def does(self, act: Act, *, status: Status = Status.CHANGED) -> None:
        """One act more; a new row stays one that is created."""
        self.acts.append(act)
        if self.status == Status.UNCHANGED:
            self.status = status

    def refuse(self, error: RefusedError) -> None:
        self.error, self.status, self.secret = error, Status.REFUSED, None


class Kind(Protocol):
    """A kind of thing that is provisioned."""

    name: str

    def passes(self, lines: list[Line]) -> list[list[Line]]:
        """The lines in groups that build on one another."""
        ...

    def decide(self, lines: list[Line], now: datetime) -> list[Decision]:
        """What each of these lines comes to, with a number of queries that does not grow with theirs. Writes nothing."""
        ...

    def guard(self, decisions: list[Decision]) -> AbstractContextManager[datetime]:
        """The transaction in which these are carried out; yields its moment."""
        ...

    def create(self, decisions: list[Decision], now: datetime, actor: Actor) -> None:
        """Stores the new rows of these, all at once."""
        ...

    def rows(self) -> "QuerySet[Any]":
        """All that is provisioned, whether it has ended or not."""
        ...

    def show(self, rows: list[Any]) -> Sequence[Mapping[str, object]]:
        """These rows as they are answered, with a number of queries that does not grow with theirs."""
        ...


def moment_of(line: Line, now: datetime) -> datetime:
    """When the line holds from. Raises RefusedError for a moment to come."""
    if line.effective_at is None:
        return now
    if line.effective_at > now:
        raise RefusedError(
            "invalid_effective_at",
            "`effective_at` is in the future: send the line when it holds.",
            param="effective_at",
        )
    return line.effective_at


def only_now(line: Line) -> None:
    """Raises RefusedError for what has no past and no future of its own, and a moment."""
    if line.effective_at is not None:
        raise RefusedError("invalid_effective_at", "This holds from now on alone.", param="effective_at")


def judged(
    decisions: list[Decision], *, put: Callable[[Decision], None], end: Callable[[Decision], None]
) -> list[Decision]:
    """Each with what it comes to; what raises RefusedError is refused."""
    for decision in decisions:
        if decision.error is not None:
            continue
        try:
            (end if decision.line.is_end else put)(decision)
        except RefusedError as error:
            decision.refuse(error)
    return decisions


def ended(row: Any) -> RefusedError:
    """Of a secret, which is revoked for good."""
    return RefusedError("ended", f"“{row.name}” was revoked and stays so. Make another one under another id.")


def immutable(param: str, message: str) -> RefusedError:
    return RefusedError("immutable", message, param=param)


def unknown(param: str, external_id: str) -> RefusedError:
    return RefusedError("unknown_reference", f"There is nothing with the id “{external_id}” here.", param=param)
