"""The open invitations of an organization: neither accepted nor taken back. They end with what they rest on.

Who is in needs none. Who leaves is let back in by none, whether it went to an address of theirs or they sent it to another
mailbox. And nobody gives by one that they sent before a role that they may not give any more. Functions that end some of
one organization are called while it is locked. They end at that moment, whatever moment the change itself is dated to.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from allauth.account.models import EmailAddress
from django.db.models import Q, QuerySet

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.clock import database_now
from accounts.models import Invitation, Membership, Organization, User

Role = Membership.Role


def open_invitations(organization: Organization, words: str = "") -> QuerySet[Invitation]:
    """Those with these words in the address. Expired ones are among them, because they can be sent again."""
    found = _open().filter(organization=organization)
    return found.filter(email__icontains=words) if words else found


def end_those_to(memberships: Collection[Membership], *, actor: Actor) -> None:
    """These people are in now."""
    addresses = _addresses_of({one.user for one in memberships})
    wanted = {(one.organization_id, email) for one in memberships for email in addresses[one.user_id]}
    found = _open().filter(
        organization__in={organization_id for organization_id, _ in wanted}, email__in={email for _, email in wanted}
    )
    _end_all((one for one in found if (one.organization_id, one.email) in wanted), actor)


def end_those_of(organization: Organization, user: User, *, actor: Actor) -> None:
    """The person has left: those to any address that they have confirmed, and those that they sent."""
    theirs = Q(email__in=_addresses_of({user})[user.pk]) | Q(invited_by=user)
    _end_all(open_invitations(organization).filter(theirs), actor)


def end_those_beyond(organization: Organization, roles: Mapping[int, str], *, actor: Actor) -> None:
    """People, by their ids, have these roles now: those that they sent with a role that they may not give with theirs."""
    sent = open_invitations(organization).filter(
        invited_by__in=[pk for pk, role in roles.items() if role != Role.OWNER]
    )
    _end_all((one for one in sent if one.role == Role.OWNER or roles[one.invited_by_id] == Role.READER), actor)


def lock_organizations_of(user: User) -> None:
    """Those that the person is in, or to which somebody holds an open invitation of theirs. Before the person is locked."""
    sent, current = _open().filter(invited_by=user), Membership.objects.filter(user=user, left_at__isnull=True)
    of_theirs = Q(pk__in=sent.values("organization")) | Q(pk__in=current.values("organization"))
    list(Organization.objects.select_for_update(no_key=True).filter(of_theirs).order_by("pk"))


def end_those_sent_by(user: User, *, actor: Actor) -> None:
    """The person's account is closed: those that they sent, of all organizations (`lock_organizations_of`)."""
    _end_all(_open().filter(invited_by=user), actor)


def end(invitation: Invitation, *, now: datetime) -> None:
    """Its link is dead."""
    invitation.revoked_at = now
    invitation.save(update_fields=["revoked_at"])


def record(event: str, invitation: Invitation, actor: Actor, **details: object) -> None:
    """An entry about the invitation."""
    audit.record(
        event,
        actor=actor,
        organization=invitation.organization,
        target_id=invitation.public_id,
        target_name=invitation.email,
        details=details,
    )


def _open() -> QuerySet[Invitation]:
    found = Invitation.objects.filter(accepted_at__isnull=True, revoked_at__isnull=True)
    return found.select_related("organization")


def _addresses_of(users: Collection[User]) -> dict[int, set[str]]:
    """By whose id: the address that the person is known by, and all others that they have confirmed."""
    found = defaultdict(set, {user.pk: {user.email} for user in users})
    confirmed = EmailAddress.objects.filter(user__in=users, verified=True)
    for user_id, email in confirmed.values_list("user_id", "email"):
        found[user_id].add(email)
    return found


def _end_all(found: Iterable[Invitation], actor: Actor) -> None:
    for invitation in found:
        end(invitation, now=database_now())
        record("invite.deleted", invitation, actor)
