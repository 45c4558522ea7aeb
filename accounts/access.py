"""The only door to an organization's data: who asks, and what they may see there (product.md, section 1)."""

from dataclasses import dataclass
from functools import cached_property

from django.core.exceptions import PermissionDenied
from django.http import Http404

from accounts.models import Membership, Organization, User

Role = Membership.Role


@dataclass(frozen=True)
class Access:
    """A user's standing in one organization, as of now."""

    user: User
    organization: Organization
    role: str

    @property
    def is_owner(self) -> bool:
        return self.role == Role.OWNER

    @property
    def is_admin(self) -> bool:
        """Owner or admin."""
        return self.role in (Role.OWNER, Role.ADMIN)

    @property
    def sees_all_usage(self) -> bool:
        """False for a reader of an organization that shows usage to owners and admins only: they see their own."""
        return self.is_admin or self.organization.usage_visibility == Organization.UsageVisibility.ANY_ROLE

    @property
    def can_export(self) -> bool:
        return self.is_owner

    @cached_property
    def organizations(self) -> tuple[Organization, ...]:
        """The organizations whose usage this door opens: this one and, for a parent, its children, this one first."""
        return (self.organization, *self.organization.children.order_by("name"))

    def require_export(self) -> None:
        """Raises PermissionDenied, with the reason, for everyone but owners."""
        if not self.can_export:
            raise PermissionDenied("Only owners of the organization can export its usage.")


def open_organization(user: User, slug: str) -> Access:
    """The user's access to the organization `slug`; Http404 if they are not in it, as if it did not exist."""
    membership = (
        Membership.objects.filter(user=user, organization__slug=slug, left_at__isnull=True)
        .select_related("organization")
        .first()
    )
    if membership is None:
        raise Http404("No organization of yours has this address.")
    return Access(user=user, organization=membership.organization, role=membership.role)


def memberships_of(user: User) -> list[Membership]:
    """The user's memberships of now, by the organization's name."""
    current = Membership.objects.filter(user=user, left_at__isnull=True)
    return list(current.select_related("organization").order_by("organization__name", "organization_id"))


def organizations_of(user: User) -> list[Organization]:
    """The organizations that the user is in now, by name."""
    return list(
        Organization.objects.filter(memberships__user=user, memberships__left_at__isnull=True).order_by("name", "id")
    )
