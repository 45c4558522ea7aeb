"""Changes to people and organizations, with the dated history that routing reads.

Functions that take `now` are called inside `with accounts.changes.routing_change() as now`, which says when the change
takes effect and keeps two people from changing the same thing at once.
"""

from datetime import datetime

from django.utils.text import slugify

from accounts.models import DefaultOrganizationChange, Membership, Organization, User

PERSONAL_NAME = "Personal"
MAX_SLUG_LENGTH = 60


class ChangeRefusedError(ValueError):
    """A change that the rules of organizations forbid; the message says why."""


class EmailTakenError(ChangeRefusedError):
    """There is a user with this e-mail already."""


class AlreadyMemberError(ChangeRefusedError):
    """The user is in the organization already."""


class NotAMemberError(ChangeRefusedError):
    """The user is not in the organization now."""


class LastOwnerError(ChangeRefusedError):
    """An organization always keeps at least one owner."""


class OnlyOrganizationError(ChangeRefusedError):
    """A user always keeps an organization to be their default."""


def create_user(*, email: str, now: datetime, name: str = "", password: str | None = None) -> User:
    """A new person with a personal organization, which is their default one, also for all times before.

    Raises EmailTakenError.
    """
    if User.objects.filter(email__iexact=email).exists():
        raise EmailTakenError(f"There is a user with the e-mail {email} already.")
    user = User.objects.create_user(email, password, name=name)
    personal = create_organization(
        name=PERSONAL_NAME, owner=user, now=now, slug=email.partition("@")[0], is_personal=True
    )
    user.default_organization = personal
    user.save(update_fields=["default_organization"])
    DefaultOrganizationChange.objects.create(user=user, organization=personal, effective_at=now)
    return user


def create_organization(  # noqa: PLR0913 - one keyword for each thing that can be said about an organization
    *,
    name: str,
    owner: User,
    now: datetime,
    slug: str = "",
    parent: Organization | None = None,
    is_personal: bool = False,
) -> Organization:
    """A new organization with its first owner. Its address comes from `slug` or the name; a taken one gets a number.

    Raises ChangeRefusedError for a parent that has a parent itself: consolidated billing has one level.
    """
    if parent is not None and parent.parent_id is not None:
        raise ChangeRefusedError(f"{parent} is billed to another organization and cannot have children.")
    organization = Organization.objects.create(
        name=name, slug=_free_slug(slug or name), parent=parent, is_personal=is_personal
    )
    add_member(organization=organization, user=owner, role=Membership.Role.OWNER, now=now)
    return organization


def add_member(*, organization: Organization, user: User, role: str, now: datetime) -> Membership:
    """From `now` on the user is in the organization. Raises AlreadyMemberError."""
    if _current(organization, user) is not None:
        raise AlreadyMemberError(f"{user} is in {organization} already.")
    return Membership.objects.create(organization=organization, user=user, role=role, joined_at=now)


def remove_member(*, organization: Organization, user: User, now: datetime) -> None:
    """Ends the user's membership at `now`; if it was their default organization, another of theirs becomes it.

    Raises NotAMemberError, LastOwnerError, or OnlyOrganizationError.
    """
    membership = _require_current(organization, user)
    if membership.role == Membership.Role.OWNER and not _has_other_owner(membership):
        raise LastOwnerError(f"{user} is the last owner of {organization}. Make someone else an owner first.")
    if user.default_organization_id == organization.id:
        set_default_organization(user=user, organization=_next_default(user, organization), now=now)
    membership.left_at = now
    membership.save(update_fields=["left_at"])


def set_default_organization(*, user: User, organization: Organization, now: datetime) -> bool:
    """From `now` on, usage that names no organization counts in this one. Returns whether anything changed.

    Raises NotAMemberError, and ValueError for a moment before an earlier change.
    """
    _require_current(organization, user)
    if user.default_organization_id == organization.id:
        return False
    if user.default_organization_changes.filter(effective_at__gt=now).exists():
        raise ValueError("The default organization changes forward only: this user has a later change.")
    user.default_organization = organization
    user.save(update_fields=["default_organization"])
    DefaultOrganizationChange.objects.update_or_create(
        user=user, effective_at=now, defaults={"organization": organization}
    )
    return True


def _current(organization: Organization, user: User) -> Membership | None:
    return Membership.objects.filter(organization=organization, user=user, left_at__isnull=True).first()


def _require_current(organization: Organization, user: User) -> Membership:
    membership = _current(organization, user)
    if membership is None:
        raise NotAMemberError(f"{user} is not in {organization}.")
    return membership


def _has_other_owner(membership: Membership) -> bool:
    owners = Membership.objects.filter(
        organization=membership.organization, role=Membership.Role.OWNER, left_at__isnull=True
    )
    return owners.exclude(pk=membership.pk).exists()


def _next_default(user: User, leaving: Organization) -> Organization:
    """The personal organization first, then the one that the user joined first."""
    remaining = Membership.objects.filter(user=user, left_at__isnull=True).exclude(organization=leaving)
    membership = (
        remaining.select_related("organization").order_by("-organization__is_personal", "joined_at", "id").first()
    )
    if membership is None:
        raise OnlyOrganizationError(f"{leaving} is the only organization of {user}.")
    return membership.organization


def _free_slug(text: str) -> str:
    base = slugify(text)[: MAX_SLUG_LENGTH - 5].strip("-_") or "organization"
    taken = set(Organization.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    number = 1
    slug = base
    while slug in taken:
        number += 1
        slug = f"{base}-{number}"
    return slug
