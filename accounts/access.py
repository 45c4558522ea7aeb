"""The only door to an organization's data: who asks, and what they may see there (product.md, section 1).

An id that comes from an address is looked for among the rows that its reader may see, and nowhere else: what they may not
see reads exactly like what does not exist.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol, TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.http import Http404

from accounts.models import Membership, Organization, User

Role = Membership.Role
Row = TypeVar("Row")


class Sight(Protocol):
    """Whose usage somebody may see, a person or a program: that of these organizations or, with `only_of`, of it the usage of
    the user with this id alone."""

    @property
    def organizations(self) -> tuple[Organization, ...]: ...
    @property
    def only_of(self) -> int | None: ...


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
    def only_of(self) -> int | None:
        """The id of the user whose usage alone is seen; None if everybody's is."""
        return None if self.sees_all_usage else self.user.pk

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
            raise PermissionDenied("Only owners can export the organization's usage.")


def open_organization(user: User, slug: str) -> Access:
    """The user's access to the organization `slug`; Http404 if they are not in it, as if it did not exist."""
    membership = (
        Membership.objects.filter(user=user, organization__slug=slug, left_at__isnull=True)
        .select_related("organization")
        .first()
    )
    if membership is None:
        raise Http404("None of your organizations has this address.")
    return Access(user=user, organization=membership.organization, role=membership.role)


def find_seen(rows: "QuerySet[Any, Row]", **named: object) -> Row:
    """The one of these rows that an address names. `rows` are those that its reader may see; all others do not exist for
    them, with the same Http404."""
    found = rows.filter(**named).first()
    if found is None:
        raise Http404("Nothing that you may see has this address.")
    return found


def members_now(access: Access) -> QuerySet[User]:
    """The people who are in the organization now."""
    return members_of(access.organization)


def members_of(organization: Organization) -> QuerySet[User]:
    return User.objects.filter(memberships__organization=organization, memberships__left_at__isnull=True)


def seen_until(user: User, organization: Organization) -> datetime | None:
    """When the person left the organization for good; None while they are in it. What they do later is not its business."""
    memberships = Membership.objects.filter(user=user, organization=organization)
    last = memberships.order_by(F("left_at").desc(nulls_first=True)).first()
    return last.left_at if last is not None else None


def made_by_members(access: Access, *, user: str, made_at: str) -> Exists:
    """Whether a row is of somebody who was in the organization after it was made. `user` and `made_at` name its fields."""
    stays = Q(left_at__isnull=True) | Q(left_at__gt=OuterRef(made_at))
    return Exists(Membership.objects.filter(stays, user=OuterRef(user), organization=access.organization))


def memberships_of(user: User) -> list[Membership]:
    """The user's memberships of now, by the organization's name."""
    current = Membership.objects.filter(user=user, left_at__isnull=True)
    return list(current.select_related("organization").order_by("organization__name", "organization_id"))


def organizations_of(user: User) -> list[Organization]:
    """The organizations that the user is in now, by name."""
    return list(
        Organization.objects.filter(memberships__user=user, memberships__left_at__isnull=True).order_by("name", "id")
    )
