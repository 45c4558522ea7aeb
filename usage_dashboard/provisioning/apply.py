"""From lines to what holds: a set of them at a time, each kind in one transaction, by the functions of the domain.

One set after the other is carried out, whoever sends them, so that two programs that contradict each other leave what one of
them said. What people change on pages meanwhile is seen by the functions of the domain and by the database's constraints.
A line that cannot be is answered and harms no other one: if a set fails as a whole, its halves are tried, down to the line.
If the database goes away amid a set, what was committed before is answered, with the secrets that are nowhere else.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Final

from django.core.exceptions import ValidationError
from django.db import Error, IntegrityError, InterfaceError, OperationalError, connection, transaction

from accounts.audit.audit import Actor
from accounts.changes import ForwardOnlyError
from accounts.clock import database_now
from accounts.limits import LimitReachedError
from accounts.organizations import organizations
from accounts.projects import attributes, projects
from apikeys.attribution import attribution
from apikeys.keys import keys
from billing.prices import payers, rerating
from usage_dashboard.provisioning.kinds import KINDS
from usage_dashboard.provisioning.lines import Decision, Kind, Line, RefusedError

SET_SIZE: Final = 500
"""Lines at a time: the people of a set are locked one by one, and PostgreSQL has some thousand locks for all."""
PROVISIONING_LOCK: Final = 0x5553_4147_4505  # an advisory lock's key: any number that nothing else here uses
CODES: Final[Mapping[type[Exception], str]] = {
    organizations.LastOwnerError: "last_owner",
    organizations.AlreadyMemberError: "already_member",
    organizations.NotAMemberError: "not_a_member",
    organizations.ChangeRefusedError: "refused",
    ForwardOnlyError: "invalid_effective_at",
    payers.PayerRefusedError: "invalid_parent",
    rerating.ClosedMonthError: "billed",
    rerating.PriceRefusedError: "invalid_price",
    projects.ProjectRefusedError: "project_refused",
    attribution.AttributionRefusedError: "invalid_attribution",
    attributes.AttributeRefusedError: "invalid_attribution",
    attributes.InvalidValueError: "invalid_attribution",
    keys.InvalidNameError: "invalid_name",
    keys.KeyRevokedError: "ended",
    LimitReachedError: "limit_reached",
    ValidationError: "invalid_request",
    IntegrityError: "conflict",
    RefusedError: "",
}
REFUSALS: Final = tuple(CODES)
MEANWHILE: Final = "Somebody else has changed this at the same moment, or something else has this value. Send it again."
UNREACHABLE: Final = (OperationalError, InterfaceError)
UNAVAILABLE: Final = "The database did not answer: this line may not have been changed. Send it again."
Guard = Callable[[Kind, list[Decision]], AbstractContextManager[datetime]]
Settled = dict[int, Decision]
"""What became of lines, by their identity: written when it is committed."""


def sets_of(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """The lines in sets of SET_SIZE at most, in which no thing is twice: of two lines about one thing the later one holds."""
    found: dict[tuple[str, str], Line] = {}
    for line in lines:
        key = (line.kind, line.external_id)
        if key in found or len(found) >= SET_SIZE:
            yield list(found.values())
            found = {}
        found[key] = line
    if found:
        yield list(found.values())


def apply(lines: Sequence[Line], *, actor: Actor) -> list[Decision]:
    """Carries out a set; what became of each line, in their order. If the database goes away, the lines that were not settled
    by then are refused as `unavailable`. Raises one of UNREACHABLE if none was begun.
    """
    settled: Settled = {}
    with _alone():
        try:
            _apply(lines, actor, _truly, settled)
        except UNREACHABLE:
            connection.close_if_unusable_or_obsolete()
    return [settled[id(line)] if id(line) in settled else _unavailable(line) for line in lines]


def apply_one(line: Line, *, actor: Actor) -> Decision:
    """Carries out one line. Raises one of UNREACHABLE."""
    settled: Settled = {}
    with _alone():
        _apply([line], actor, _truly, settled)
    return settled[id(line)]


def rehearse(lines: Iterable[Line], *, actor: Actor) -> list[Decision]:
    """What would become of each of all these lines, set by set. It is done in truth, and taken back."""
    decisions: list[Decision] = []
    with _alone(), transaction.atomic():
        for one in sets_of(lines):
            settled: Settled = {}
            _apply(one, actor, _within, settled)
            decisions += [settled[id(line)] for line in one]
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        transaction.set_rollback(True)
    return decisions


def _apply(lines: Sequence[Line], actor: Actor, guard: Guard, settled: Settled) -> None:
    """What shall be comes first, what one thing needs before it; what ends comes last, the other way round."""
    for names, is_end in ((list(KINDS), False), (list(KINDS)[::-1], True)):
        for name in names:
            kind = KINDS[name].kind
            wanted = [line for line in lines if line.kind == name and line.is_end == is_end]
            for group in kind.passes(wanted) if wanted else ():
                _settle(kind, group, actor, guard, settled)


def _settle(kind: Kind, lines: list[Line], actor: Actor, guard: Guard, settled: Settled) -> None:
    if not lines:
        return
    decisions = kind.decide(lines, database_now())
    changes = [decision for decision in decisions if decision.is_change]
    try:
        if changes:
            with guard(kind, changes) as now:
                _do(kind, changes, now, actor)
    except REFUSALS as error:
        if len(lines) > 1:
            middle = len(lines) // 2
            _settle(kind, lines[:middle], actor, guard, settled)
            _settle(kind, lines[middle:], actor, guard, settled)
            return
        decisions[0].refuse(_refusal(error))
    settled.update({id(decision.line): decision for decision in decisions})


def _unavailable(line: Line) -> Decision:
    decision = Decision(line)
    decision.refuse(RefusedError("unavailable", UNAVAILABLE))
    return decision


def _do(kind: Kind, decisions: list[Decision], now: datetime, actor: Actor) -> None:
    """A new row whose acts are refused fails all: it is not to stay half made."""
    if new := [decision for decision in decisions if decision.new is not None]:
        kind.create(new, now, actor)
    waiting = [decision for decision in decisions if decision.acts]
    while waiting:
        refused = [found for decision in waiting if (found := _act(decision, now, actor)) is not None]
        again = [decision for decision, error in refused if isinstance(error, organizations.LastOwnerError)]
        if len(again) == len(waiting):  # nobody else became an owner meanwhile
            again = []
        for decision, error in refused:
            if decision not in again:
                decision.refuse(_refusal(error))
        waiting = again


def _act(decision: Decision, now: datetime, actor: Actor) -> tuple[Decision, Exception] | None:
    """Everything that the line asks for, or nothing of it and the error that says why."""
    try:
        with transaction.atomic():
            for act in decision.acts:
                act(now, actor)
    except REFUSALS as error:
        if decision.new is not None:
            raise
        return decision, error
    return None


def _refusal(error: Exception) -> RefusedError:
    if isinstance(error, RefusedError):
        return error
    code = next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)
    if isinstance(error, IntegrityError):
        return RefusedError(code, MEANWHILE)
    if isinstance(error, ValidationError):
        return RefusedError(code, " ".join(error.messages))
    return RefusedError(code, str(error))


def _truly(kind: Kind, decisions: list[Decision]) -> AbstractContextManager[datetime]:
    """The kind's own transaction."""
    return kind.guard(decisions)


@contextmanager
def _within(kind: Kind, decisions: list[Decision]) -> Iterator[datetime]:  # noqa: ARG001 - in the place of a kind's own
    """A part of the transaction that is open, of which nobody else is told."""
    with transaction.atomic():
        yield database_now()


@contextmanager
def _alone() -> Iterator[None]:
    """Nobody else provisions meanwhile. The lock is the session's: a set has several transactions."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [PROVISIONING_LOCK])
        try:
            yield
        finally:
            _release()


def _release() -> None:
    """A lock that could not be given back would keep everybody else from provisioning: then the session ends."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [PROVISIONING_LOCK])
    except Error:
        connection.close()
