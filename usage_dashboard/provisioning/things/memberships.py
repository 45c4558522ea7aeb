"""Memberships by the operator's own id, and with them the organization where a person's usage counts."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Max, QuerySet

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.models import DefaultOrganizationChange, Membership, Organization, User
from accounts.organizations.many import add_members, give_first_defaults
from accounts.organizations.organizations import remove_member, set_default_organization, set_role
from billing.prices.invoiced_months import first_open_days
from metering.models import DailyUsage, UsageEvent
from usage_dashboard.provisioning.guards import alone_with
from usage_dashboard.provisioning.lines import (
    Act,
    Decision,
    Line,
    RefusedError,
    Status,
    immutable,
    judged,
    moment_of,
    unknown,
)
from usage_dashboard.provisioning.shapes import ProvisionedMembership
from usage_dashboard.provisioning.things import organizations, users

Pair = tuple[int, int]


@dataclass(frozen=True)
class Known:
    """What there is about the people and organizations of some lines, by (user, organization) where it is about both."""

    users: Mapping[str, User]
    organizations: Mapping[str, Organization]
    current: Mapping[Pair, Membership]
    left_at: Mapping[Pair, datetime]
    defaulted_at: Mapping[int, datetime]
    open_from: Mapping[int, date]

    @classmethod
    def of(cls, lines: list[Line], rows: list[Membership]) -> "Known":
        people = users.by_external_id({line.fields["user"] for line in lines if not line.is_end})
        places = organizations.by_external_id({line.fields["organization"] for line in lines if not line.is_end})
        user_ids = {one.pk for one in people.values()} | {row.user_id for row in rows}
        place_ids = {one.pk for one in places.values()} | {row.organization_id for row in rows}
        members = Membership.objects.filter(user__in=user_ids, organization__in=place_ids)
        current = members.filter(left_at__isnull=True).select_related("user", "organization")
        ended = members.filter(left_at__isnull=False).values_list("user_id", "organization_id").annotate(Max("left_at"))
        changes = DefaultOrganizationChange.objects.filter(user__in=user_ids).values_list("user_id")
        is_dated = any(line.effective_at is not None for line in lines)
        return cls(
            users=people,
            organizations=places,
            current={(one.user_id, one.organization_id): one for one in current},
            left_at={(user_id, place_id): left_at for user_id, place_id, left_at in ended},
            defaulted_at=dict(changes.annotate(Max("effective_at"))),
            open_from=first_open_days(place_ids) if is_dated else {},
        )


class Memberships:
    """The kind `memberships`."""

    name = "memberships"

    def passes(self, lines: list[Line]) -> list[list[Line]]:
        return [lines]

    def decide(self, lines: list[Line], now: datetime) -> list[Decision]:
        ids = [line.external_id for line in lines]
        # Of the rows of one id the last one is the current one, if any is.
        found = {row.external_id: row for row in self.rows().filter(external_id__in=ids).order_by("pk")}
        known = Known.of(lines, list(found.values()))
        decisions = [Decision(line, row=found.get(line.external_id)) for line in lines]
        homes: dict[int, Decision] = {}
        joining: set[Pair] = set()
        judged(
            decisions,
            put=lambda decision: _put(decision, known, now, homes, joining),
            end=lambda decision: _end(decision, known, now),
        )
        for decision in homes.values():
            decision.gives_default = True
        return decisions

    def guard(self, decisions: list[Decision]) -> AbstractContextManager[datetime]:
        return alone_with(decisions)

    def create(self, decisions: list[Decision], now: datetime, actor: Actor) -> None:
        for decision in decisions:
            decision.new.joined_at = decision.line.effective_at or now
        add_members([decision.new for decision in decisions], actor=actor)
        if first := [decision.new for decision in decisions if decision.gives_default]:
            give_first_defaults(first, actor=actor)

    def rows(self) -> "QuerySet[Membership]":
        return Membership.objects.filter(external_id__isnull=False).select_related("user", "organization")

    def show(self, rows: list[Membership]) -> list[ProvisionedMembership]:
        return [
            {
                "external_id": str(row.external_id),
                "user": row.user.external_id,
                "user_id": row.user.public_id,
                "organization": row.organization.external_id,
                "organization_id": row.organization.public_id,
                "role": row.role,
                "is_default": row.left_at is None and row.user.default_organization_id == row.organization_id,
                "joined_at": row.joined_at,
                "left_at": row.left_at,
            }
            for row in rows
        ]


def _put(decision: Decision, known: Known, now: datetime, homes: dict[int, Decision], joining: set[Pair]) -> None:
    fields = decision.line.fields
    user, organization = known.users.get(fields["user"]), known.organizations.get(fields["organization"])
    if user is None:
        raise unknown("user", fields["user"])
    if organization is None:
        raise unknown("organization", fields["organization"])
    decision.organizations = (organization,)
    row: Membership | None = decision.row
    if row is not None and (row.user_id, row.organization_id) != (user.pk, organization.pk):
        raise immutable(
            "user" if row.user_id != user.pk else "organization",
            f"“{decision.line.external_id}” is the membership of {row.user} in {row.organization}.",
        )
    if row is None or row.left_at is not None:
        row = _taken_over(decision, known, (user.pk, organization.pk), joining)
    if row is None:
        _join(decision, known, user, organization, now)
    elif row.role != fields["role"]:
        decision.does(
            lambda _now, actor: set_role(organization=organization, user=user, role=fields["role"], actor=actor)
        )
    _put_default(decision, known, now, homes)


def _taken_over(decision: Decision, known: Known, pair: Pair, joining: set[Pair]) -> Membership | None:
    """The membership that there is without an id of the operator's, from now on known by this one. Raises RefusedError."""
    line, row = decision.line, known.current.get(pair)
    if pair in joining or (row is not None and row.external_id is not None):
        raise RefusedError("already_member", "This user is in this organization under another id.", param="user")
    joining.add(pair)
    if row is not None:
        decision.does(lambda _now, actor: _adopt(row, line.external_id, actor))
    return row


def _adopt(row: Membership, external_id: str, actor: Actor) -> None:
    row.external_id = external_id
    row.save(update_fields=["external_id"])
    audit.record(
        "membership.taken_over",
        actor=actor,
        organization=row.organization,
        target_id=row.user.public_id,
        target_name=str(row.user),
    )


def _join(decision: Decision, known: Known, user: User, organization: Organization, now: datetime) -> None:
    line, moment = decision.line, moment_of(decision.line, now)
    _require_open(line, known, organization)
    left_at = known.left_at.get((user.pk, organization.pk))
    if left_at is not None and moment < left_at:
        raise RefusedError(
            "invalid_effective_at",
            f"The user was in the organization until {left_at:%Y-%m-%dT%H:%M:%SZ}.",
            param="effective_at",
        )
    decision.status, decision.people = Status.CREATED, (user,)
    decision.new = Membership(
        external_id=line.external_id, user=user, organization=organization, role=line.fields["role"], joined_at=moment
    )


def _put_default(decision: Decision, known: Known, now: datetime, homes: dict[int, Decision]) -> None:
    """What the person's default organization is to be. Somebody without one gets the first that they come into."""
    fields = decision.line.fields
    user, organization = known.users[fields["user"]], known.organizations[fields["organization"]]
    wanted = fields.get("is_default", False)
    if user.default_organization_id == organization.pk or not (wanted or user.default_organization_id is None):
        return
    if user.default_organization_id is None and user.pk not in known.defaulted_at and decision.new is not None:
        if wanted or user.pk not in homes:
            homes[user.pk] = decision
        return
    _require_dated(decision.line, known, user, organization, now)
    decision.people = (user,)
    at = decision.line.effective_at

    def move(moment: datetime, actor: Actor) -> None:
        set_default_organization(user=user, organization=organization, now=at or moment, actor=actor)

    if at is not None:
        decision.does(_unstored(user, at))
    decision.does(move)


def _end(decision: Decision, known: Known, now: datetime) -> None:
    row, line = decision.row, decision.line
    if row is None:
        raise unknown("external_id", line.external_id)
    if row.left_at is not None:
        return
    moment = moment_of(line, now)
    if moment <= row.joined_at:
        raise RefusedError(
            "ends_before_start", f"The membership began at {row.joined_at:%Y-%m-%dT%H:%M:%SZ}.", param="effective_at"
        )
    if line.effective_at is not None:
        _require_open(line, known, row.organization)
        _require_dated(line, known, row.user, row.organization, now)
        decision.does(_unstored(row.user, line.effective_at), status=Status.ENDED)
    decision.people, decision.organizations = (row.user,), (row.organization,)

    def leave(at: datetime, actor: Actor) -> None:
        moment = line.effective_at or at
        remove_member(organization=row.organization, user=row.user, now=moment, actor=actor, for_good=True)

    decision.does(leave, status=Status.ENDED)


def _require_dated(line: Line, known: Known, user: User, organization: Organization, now: datetime) -> None:
    """Raises RefusedError for a moment that is billed, or before the person's latest change."""
    moment = moment_of(line, now)
    _require_open(line, known, organization)
    changed_at = known.defaulted_at.get(user.pk)
    if changed_at is not None and moment <= changed_at:
        raise RefusedError(
            "invalid_effective_at",
            f"The default organization of the user changed at {changed_at:%Y-%m-%dT%H:%M:%SZ}, and changes forward only.",
            param="effective_at",
        )


def _require_open(line: Line, known: Known, organization: Organization) -> None:
    day = known.open_from.get(organization.pk)
    if day is not None and line.effective_at is not None and line.effective_at.date() < day:
        raise organizations.billed(day)


def _unstored(user: User, moment: datetime) -> Act:
    """Where an event counts is decided once: sent again after this change, it would count in two organizations."""

    def require(_now: datetime, _actor: Actor) -> None:
        places = list(Membership.objects.filter(user=user).values_list("organization_id", flat=True))
        of_user = {"organization_id__in": places, "user_id": user.pk}
        events = UsageEvent.objects.filter(occurred_at__gte=moment, **of_user)
        if events.exists() or DailyUsage.objects.filter(day__gt=moment.date(), **of_user).exists():
            raise RefusedError(
                "usage_stored",
                "Usage of this user since then is stored already, and stays where it is. Send a later moment, or none.",
                param="effective_at",
            )

    return require
