"""Invitations: an email with a secret link, good for one person, once, for seven days.

What they decide on they read themselves, with the rows of the organization and then of the invitation locked, so that two
clicks on one link come one after the other. Functions that take `now` are called inside a transaction:
`accounts.changes.change`, or `routing_change(user)` for `accept`.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from accounts.audit.audit import Actor
from accounts.emails import normalized
from accounts.members.invitation_limits import TooManyInvitationsError, require_within_limits
from accounts.models import Invitation, Membership, Organization, User
from accounts.organizations import organizations
from accounts.organizations.open_invitations import end, open_invitations, record
from accounts.public_ids import random_text

LIFETIME: Final = timedelta(days=7)
TOKEN_CHARACTERS: Final = 40


class InvitationRefusedError(ValueError):
    """An invitation that cannot be sent or accepted; the message says why."""


class UsedError(InvitationRefusedError):
    """It was accepted before."""


class RevokedError(InvitationRefusedError):
    """It was taken back."""


class ExpiredError(InvitationRefusedError):
    """Its seven days are over."""


class WrongAddressError(InvitationRefusedError):
    """It is for another email address than the user's."""


def invite(  # noqa: PLR0913 - one keyword for each thing that an invitation says
    *,
    organization: Organization,
    email: str,
    role: str,
    invited_by: User,
    now: datetime,
    actor: Actor,
    is_staff: bool = False,
) -> str:
    """Opens an invitation and returns the secret of its link, which is nowhere else. `is_staff`: by the operator's right.

    Raises InvitationRefusedError, or organizations.ChangeRefusedError for one whom `invited_by` may not invite.
    """
    organizations.require_may_invite(by=None if is_staff else invited_by, organization=organization, role=role)
    email = normalized(email)
    if Membership.objects.filter(organization=organization, user__email=email, left_at__isnull=True).exists():
        raise InvitationRefusedError(f"{email} is already in {organization}.")
    _require_within_limits(organization=organization, email=email, inviter=actor.user or invited_by, now=now)
    earlier = open_invitations(organization).filter(email=email).first()
    if earlier is not None and earlier.expires_at > now:
        raise InvitationRefusedError(f"{email} is already invited. Send the invitation again, or cancel it first.")
    if earlier is not None:
        end(earlier, now=now)
    token = random_text(TOKEN_CHARACTERS)
    invitation = Invitation.objects.create(
        organization=organization,
        email=email,
        role=role,
        digest=_digest(token),
        invited_by=invited_by,
        created_at=now,
        sent_at=now,
        expires_at=now + LIFETIME,
    )
    record("invite.sent", invitation, actor, role=role)
    return token


def resend(*, invitation: Invitation, now: datetime, actor: Actor) -> str:
    """A new secret and seven more days; the link that was sent before is dead. Raises InvitationRefusedError."""
    _lock(invitation)
    _require_not_ended(invitation)
    _require_within_limits(organization=invitation.organization, email=invitation.email, inviter=actor.user, now=now)
    token = random_text(TOKEN_CHARACTERS)
    invitation.digest, invitation.sent_at, invitation.expires_at = _digest(token), now, now + LIFETIME
    invitation.save(update_fields=["digest", "sent_at", "expires_at"])
    record("invite.sent", invitation, actor, again=True)
    return token


def revoke(*, invitation: Invitation, now: datetime, actor: Actor) -> None:
    """The link is dead from now on. Raises UsedError; a second time changes nothing."""
    _lock(invitation)
    if invitation.accepted_at is not None:
        raise UsedError(f"{invitation.email} has already accepted this invitation.")
    if invitation.revoked_at is None:
        end(invitation, now=now)
        record("invite.deleted", invitation, actor)


def accept(*, invitation: Invitation, user: User, now: datetime, actor: Actor, makes_default: bool = False) -> None:
    """The user is in the organization from `now` on, and it is their default one from then on if they say so.

    Raises InvitationRefusedError, one class for each reason.
    """
    _lock(invitation)
    require_acceptable(invitation, user=user, now=now)
    invitation.accepted_at, invitation.accepted_by = now, user
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    try:
        organizations.add_member(
            organization=invitation.organization, user=user, role=invitation.role, now=now, actor=actor
        )
    except organizations.AlreadyMemberError as error:
        raise InvitationRefusedError(f"You are in {invitation.organization} already.") from error
    except organizations.ChangeRefusedError as error:
        raise InvitationRefusedError(str(error)) from error
    record("invite.accepted", invitation, actor)
    if makes_default:
        organizations.set_default_organization(user=user, organization=invitation.organization, now=now, actor=actor)


def require_acceptable(invitation: Invitation, *, user: User | None, now: datetime) -> None:
    """Raises InvitationRefusedError if nobody, or not this user, can accept it now."""
    _require_not_ended(invitation)
    if invitation.expires_at <= now:
        raise ExpiredError(f"This invitation expired on {invitation.expires_at:%B %-d, %Y}. Ask for a new one.")
    if user is not None and user.email != invitation.email:
        raise WrongAddressError(f"This invitation is for {invitation.email}, and you are signed in as {user.email}.")


def find(token: str) -> Invitation | None:
    """The invitation whose link has this secret."""
    return Invitation.objects.select_related("organization", "invited_by").filter(digest=_digest(token)).first()


def _require_within_limits(*, organization: Organization, email: str, inviter: User | None, now: datetime) -> None:
    try:
        require_within_limits(organization=organization, email=email, inviter=inviter, now=now)
    except TooManyInvitationsError as error:
        raise InvitationRefusedError(str(error)) from error


def _lock(invitation: Invitation) -> None:
    """The invitation is read again; until the end of the transaction nobody else changes it, or who is in its organization.

    The organization comes first, as in every change of its members: two that wait for each other would both be lost.
    """
    organizations.locked(invitation.organization)
    invitation.refresh_from_db(
        from_queryset=Invitation.objects.select_for_update(of=("self",)).select_related("organization", "invited_by")
    )


def _require_not_ended(invitation: Invitation) -> None:
    if invitation.accepted_at is not None:
        raise UsedError("This invitation has been used. An invitation works once.")
    if invitation.revoked_at is not None:
        raise RevokedError(f"This invitation to {invitation.organization} was cancelled. Ask for a new one.")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
