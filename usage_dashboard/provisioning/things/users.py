"""Users by the operator's own id. Who signs in is known by their email address; whoever adds them vouches for it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.emails import normalized
from accounts.entrance import claims
from accounts.entrance.log import tell_organizations
from accounts.entrance.sessions import end_sessions
from accounts.models import Membership, User
from accounts.organizations.many import create_users
from accounts.organizations.organizations import remove_member
from apikeys.keys.keys import revoke_api_key
from apikeys.models import APIKey
from usage_dashboard.provisioning.guards import alone_with
from usage_dashboard.provisioning.lines import (
    Decision,
    Line,
    RefusedError,
    Status,
    immutable,
    judged,
    moment_of,
    unknown,
)
from usage_dashboard.provisioning.shapes import ProvisionedUser

BY_PROGRAM: Final = "by a program that provisions accounts"


class Users:
    """The kind `users`."""

    name = "users"

    def passes(self, lines: list[Line]) -> list[list[Line]]:
        return [lines]

    def decide(self, lines: list[Line], now: datetime) -> list[Decision]:
        decisions = [Decision(line) for line in lines]
        emails = {decision.line.external_id: _email(decision) for decision in decisions}
        found = {one.external_id: one for one in User.objects.filter(external_id__in=list(emails))}
        confirmed = _confirmed({email for email in emails.values() if email})
        used: set[str] = set()
        for decision in decisions:
            decision.row = found.get(decision.line.external_id)
        return judged(
            decisions,
            put=lambda decision: _put(decision, emails[decision.line.external_id], confirmed, used),
            end=lambda decision: _end(decision, now),
        )

    def guard(self, decisions: list[Decision]) -> AbstractContextManager[datetime]:
        return alone_with(decisions)

    def create(self, decisions: list[Decision], now: datetime, actor: Actor) -> None:  # noqa: ARG002 - one signature
        users = [decision.new for decision in decisions]
        release_claims({user.email for user in users})
        create_users(users, actor=actor)

    def rows(self) -> "QuerySet[User]":
        return User.objects.filter(external_id__isnull=False).select_related("default_organization")

    def show(self, rows: list[User]) -> list[ProvisionedUser]:
        return [
            {
                "external_id": str(row.external_id),
                "id": row.public_id,
                "email": row.email,
                "name": row.name,
                "default_organization": row.default_organization.external_id if row.default_organization else None,
                "default_organization_id": row.default_organization.public_id if row.default_organization else None,
                "is_active": row.is_active,
                "created_at": row.created_at,
            }
            for row in rows
        ]


def by_external_id(external_ids: set[str]) -> dict[str, User]:
    """The people with these ids who have not ended."""
    found = User.objects.filter(external_id__in=external_ids, is_active=True).select_related("default_organization")
    return {str(one.external_id): one for one in found}


def _email(decision: Decision) -> str:
    """The address as it is kept; empty, and the decision a refusal, for one that cannot be."""
    try:
        return normalized(decision.line.fields.get("email", ""))
    except ValidationError as error:
        decision.refuse(RefusedError("invalid_request", error.messages[0], param="email"))
        return ""


def _confirmed(emails: set[str]) -> dict[str, User]:
    """Who has confirmed each of these addresses, as their main one or beside it."""
    rows = EmailAddress.objects.filter(email__in=emails, verified=True).select_related("user")
    return {row.email: row.user for row in rows}


def _put(decision: Decision, email: str, confirmed: Mapping[str, User], used: set[str]) -> None:
    line, row, owner = decision.line, decision.row, confirmed.get(email)
    if email in used:
        raise _taken(email)
    used.add(email)
    if row is None and owner is None:
        decision.status = Status.CREATED
        decision.new = User(external_id=line.external_id, email=email, name=line.fields.get("name", ""))
        return
    if row is None:
        assert owner is not None
        if is_staff(owner) or owner.external_id is not None or owner.email != email:
            raise _taken(email)
        row = decision.row = owner
        decision.does(lambda _now, actor: _adopt(row, line.external_id, actor))
    elif owner is not None and owner.pk != row.pk:
        raise _taken(email)
    _change(decision, row, email)


def _change(decision: Decision, row: User, email: str) -> None:
    fields = decision.line.fields
    if row.email != email:
        _require_no_staff(row)
        decision.does(lambda _now, actor: change_email(row, email, actor))
    if row.name != fields.get("name", row.name):
        _require_no_staff(row, "name")
        decision.does(lambda _now, actor: rename(row, fields["name"], actor))
    if not row.is_active:
        _require_no_staff(row)
        decision.does(lambda _now, actor: set_active(row, actor, is_active=True))


def _end(decision: Decision, now: datetime) -> None:
    row = decision.row
    if row is None:
        raise unknown("external_id", decision.line.external_id)
    if decision.line.effective_at is not None and moment_of(decision.line, now) < now:
        raise RefusedError(
            "invalid_effective_at", "A user ends now; end the memberships dated first.", param="effective_at"
        )
    if row.is_active:
        _require_no_staff(row)
        decision.people = (row,)
        decision.does(lambda at, actor: _leave(row, at, actor), status=Status.ENDED)


def _taken(email: str) -> RefusedError:
    return RefusedError("email_taken", f"Somebody else has the email address {email}.", param="email")


def is_staff(row: User) -> bool:
    """Also one whom staff has dismissed, who keeps the rights for the day of their return."""
    return row.is_staff or row.is_superuser


def _require_no_staff(row: User, param: str = "email") -> None:
    if is_staff(row):
        raise immutable(param, "Staff of the installation are changed by staff alone.")


def release_claims(emails: set[str]) -> None:
    """What others wrote down and never confirmed ends, as it does when its owner confirms it."""
    claimed = set(EmailAddress.objects.filter(email__in=emails, verified=False).values_list("email", flat=True))
    claimed |= set(User.objects.filter(email__in=emails).values_list("email", flat=True))
    for email in claimed:
        claims.release(email, owner=None)


def _adopt(row: User, external_id: str, actor: Actor) -> None:
    row.external_id = external_id
    row.save(update_fields=["external_id"])
    audit.record("user.taken_over", actor=actor, target_id=row.public_id, target_name=row.email)


def rename(row: User, name: str, actor: Actor) -> None:
    before, row.name = row.name, name
    row.save(update_fields=["name"])
    details = {"name": name, "name_before": before}
    audit.record("user.renamed", actor=actor, target_id=row.public_id, target_name=row.email, details=details)


def change_email(row: User, email: str, actor: Actor) -> None:
    """Another main address, confirmed by the operator's word; the one until now opens nothing any more."""
    release_claims({email})
    before, row.email = row.email, email
    EmailAddress.objects.filter(user=row, email__in=[before, email]).delete()
    EmailAddress.objects.filter(user=row, primary=True).update(primary=False)
    EmailAddress.objects.create(user=row, email=email, verified=True, primary=True)
    row.save(update_fields=["email"])
    details = {"email": email, "before": before}
    audit.record("user.email.changed", actor=actor, target_id=row.public_id, target_name=email, details=details)
    tell_organizations("user.email.changed", user=row, details=details, by=actor)


def set_active(row: User, actor: Actor, *, is_active: bool) -> None:
    """Opens the account, or closes it and signs the person out everywhere."""
    if not is_active:
        end_sessions(row, method=BY_PROGRAM)
    row.is_active = is_active
    row.save(update_fields=["is_active"])
    event = "user.reactivated" if is_active else "user.deactivated"
    audit.record(event, actor=actor, target_id=row.public_id, target_name=row.email)


def revoke_keys(row: User, now: datetime, actor: Actor) -> None:
    """The person's keys open nothing any more. Before they leave their organizations, which hear of it."""
    for api_key in APIKey.objects.filter(user=row, revoked_at__isnull=True):
        revoke_api_key(api_key=api_key, now=now, actor=actor)


def _leave(row: User, now: datetime, actor: Actor) -> None:
    """The person signs in no more, their keys open nothing, and they are in no organization."""
    revoke_keys(row, now, actor)
    current = Membership.objects.filter(user=row, left_at__isnull=True).select_related("organization")
    for membership in current.order_by("organization__is_personal", "id"):
        if membership.organization.is_personal:
            continue
        remove_member(organization=membership.organization, user=row, now=now, actor=actor, for_good=True)
    set_active(row, actor, is_active=False)
