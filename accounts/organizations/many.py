"""What `accounts.organizations.organizations` does for one, for many at once, with as many statements as for one.

Called inside `accounts.changes.change`, or `routing_change` for people who have keys already. What others have changed since
the caller looked fails as a whole, with IntegrityError where the database says it.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from allauth.account.models import EmailAddress

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.models import DefaultOrganizationChange, Membership, Organization, User
from accounts.organizations import open_invitations
from accounts.organizations.organizations import (
    LastOwnerError,
    locked,
    random_slug,
    require_may_pay,
    require_not_ended,
)

BATCH_SIZE: Final = 1_000


def create_organizations(organizations: Sequence[Organization], *, actor: Actor) -> None:
    """These new rows, without people yet. Raises ChangeRefusedError for a parent that cannot pay for others."""
    wanted = {one.parent_id for one in organizations if one.parent_id}
    for parent in Organization.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk"):
        require_may_pay(parent)
    for one in organizations:
        one.slug = one.slug or random_slug(one.name)
    Organization.objects.bulk_create(organizations, batch_size=BATCH_SIZE)
    audit.record_all(
        audit.entry(
            "organization.created", actor=actor, organization=one, target_id=one.public_id, target_name=one.name
        )
        for one in organizations
    )


def create_users(users: Sequence[User], *, actor: Actor) -> None:
    """These new rows of people who are in no organization yet; whoever adds them vouches for their email addresses."""
    for user in users:
        user.set_unusable_password()
    User.objects.bulk_create(users, batch_size=BATCH_SIZE)
    EmailAddress.objects.bulk_create(
        [EmailAddress(user=user, email=user.email, verified=True, primary=True) for user in users],
        batch_size=BATCH_SIZE,
    )
    audit.record_all(
        audit.entry("user.created", actor=actor, target_id=user.public_id, target_name=user.email) for user in users
    )


def add_members(memberships: Sequence[Membership], *, actor: Actor) -> None:
    """These new rows of people who are not in the organizations now, and open invitations to them end.

    Raises ChangeRefusedError for an organization that has ended.
    """
    wanted = {one.organization_id for one in memberships}
    for organization in Organization.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk"):
        require_not_ended(organization)
    Membership.objects.bulk_create(memberships, batch_size=BATCH_SIZE)
    audit.record_all(
        audit.entry(
            "user.added",
            actor=actor,
            organization=one.organization,
            target_id=one.user.public_id,
            target_name=one.user.email,
            details={"role": one.role, "joined_at": one.joined_at.isoformat()},
        )
        for one in memberships
    )
    open_invitations.end_those_to(memberships, actor=actor)


def set_roles(*, organization: Organization, roles: Mapping[int, str], actor: Actor) -> None:
    """People, by their ids, have these roles from now on, as far as they are members; open invitations that they could not
    send with these end.

    Raises LastOwnerError, with nothing changed.
    """
    locked(organization)
    owner, members = Membership.Role.OWNER, Membership.objects.filter(organization=organization, left_at__isnull=True)
    found = members.filter(user__in=roles).select_related("user").order_by("pk")
    changed = [one for one in found if one.role != roles[one.user_id]]
    demoted = [one for one in changed if one.role == owner]
    is_kept = any(roles[one.user_id] == owner for one in changed)
    if demoted and not is_kept and members.filter(role=owner).count() == len(demoted):
        raise LastOwnerError(
            f"{demoted[-1].user} is the last owner of {organization}. Make someone else an owner first."
        )
    for role in sorted({roles[one.user_id] for one in changed}):
        members.filter(pk__in=[one.pk for one in changed if roles[one.user_id] == role]).update(role=role)
    audit.record_all(
        audit.entry(
            "user.updated",
            actor=actor,
            organization=organization,
            target_id=one.user.public_id,
            target_name=one.user.email,
            details={"role": roles[one.user_id], "role_before": one.role},
        )
        for one in changed
    )
    open_invitations.end_those_beyond(organization, {one.user_id: roles[one.user_id] for one in changed}, actor=actor)


def give_first_defaults(memberships: Sequence[Membership], *, actor: Actor) -> None:
    """Of people who never had a default organization: the one of the membership, which also holds for all times before."""
    for one in memberships:
        one.user.default_organization = one.organization
    User.objects.bulk_update([one.user for one in memberships], ["default_organization"], batch_size=BATCH_SIZE)
    DefaultOrganizationChange.objects.bulk_create(
        [
            DefaultOrganizationChange(user=one.user, organization=one.organization, effective_at=one.joined_at)
            for one in memberships
        ],
        batch_size=BATCH_SIZE,
    )
    audit.record_all(
        audit.entry(
            "user.default_organization.added",
            actor=actor,
            organization=one.organization,
            target_id=one.user.public_id,
            target_name=one.user.email,
            details={"effective_at": one.joined_at.isoformat()},
        )
        for one in memberships
    )
