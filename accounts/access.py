"""The only door to an organization's data: who asks, and what they may see there (product.md, section 1).

An id that comes from an address is looked for among the rows that its reader may see, and nowhere else: what they may not
see reads exactly like what does not exist.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Protocol, TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest

from accounts.models import Membership, Organization, User
from accounts.staff.opened import Opening, opened_by

Role = Membership.Role
Row = TypeVar("Row")
NOT_THEIRS: Final = "None of your organizations has this address."


class Sight(Protocol):
    """Whose usage somebody may see, a person or a program: that of these organizations or, with `only_of`, of it the usage of
    the user with this id alone."""

    @property
    def organizations(self) -> tuple[Organization, ...]: ...
    @property
    def only_of(self) -> int | None: ...


@dataclass(frozen=True)
class Access:
    """A user's standing in one organization, as of now. With an `opening` it is staff's, who see what its owners see."""

    user: User
    organization: Organization
    role: str
    opening: Opening | None = None

    @property
    def is_owner(self) -> bool:
        return self.role == Role.OWNER

    @property
    def is_admin(self) -> bool:
        """Owner or admin."""
        return self.role in (Role.OWNER, Role.ADMIN)

    @property
    def may_change(self) -> bool:
        """False for staff who opened the organization to read: for them no form is drawn."""
        return self.opening is None or self.opening.may_change

    @property
    def manages(self) -> bool:
        """An owner or admin who may change things."""
        return self.is_admin and self.may_change

    @property
    def owns(self) -> bool:
        """An owner who may change things."""
        return self.is_owner and self.may_change

    @property
    def member(self) -> User | None:
        """Whose role decides what may be changed; None for staff, whose right does."""
        return self.user if self.opening is None else None

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
        return self.owns

    @cached_property
    def organizations(self) -> tuple[Organization, ...]:
        """The organizations whose usage this door opens: this one and, for a parent, its children, this one first."""
        return (self.organization, *self.organization.children.order_by("name"))

    def require_export(self) -> None:
        """Raises PermissionDenied, with the reason, for everyone but owners."""
        if not self.can_export:
            raise PermissionDenied("Only owners can export the organization's usage.")


def open_organization(request: HttpRequest, slug: str) -> Access:
    """The access of a request's user to the organization `slug`: as who is in it, or as staff that has opened it.

    Http404 for everybody else, as if it did not exist; PermissionDenied, with the reason, for what staff may not do there.
    """
    access = find_access(request, slug)
    if access is None:
        raise Http404(NOT_THEIRS)
    if access.opening is not None:
        access.opening.require(request)
    return access


def find_access(request: HttpRequest, slug: str) -> Access | None:
    """The same, whatever the request is about to do; None for those for whom the organization does not exist."""
    user = request.user
    assert isinstance(user, User)
    access = _access_of_member(user, slug)
    if access is not None:
        return access
    found = opened_by(request, slug)
    return None if found is None else Access(user=user, organization=found[0], role=Role.OWNER, opening=found[1])


def judge_again(access: Access) -> None:
    """Whoever was let in still has the role that let them in, and has it until the end of the transaction.

    Called first inside the transaction of every change that a role allows: who is put out or given another role at that
    moment has made none afterwards. What opens to staff no member ends. Raises Http404 for who is in the organization no
    more, PermissionDenied for who has another role.
    """
    if access.member is None:
        return
    Organization.objects.select_for_update(no_key=True).get(pk=access.organization.pk)
    now = _access_of_member(access.user, access.organization.slug)
    if now is None:
        raise Http404(NOT_THEIRS)
    if now.role != access.role:
        raise PermissionDenied(f"Your role in {access.organization} has just changed. Nothing was saved.")


def open_as_member(user: User, slug: str) -> Access:
    """The access of somebody who is in the organization; Http404 for others."""
    access = _access_of_member(user, slug)
    if access is None:
        raise Http404(NOT_THEIRS)
    return access


def _access_of_member(user: User, slug: str) -> Access | None:
    membership = (
        Membership.objects.filter(user=user, organization__slug=slug, left_at__isnull=True)
        .select_related("organization")
        .first()
    )
    if membership is None:
        return None
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


def memberships_of(user: User) -> QuerySet[Membership]:
    """The user's memberships of now, by the organization's name."""
    current = Membership.objects.filter(user=user, left_at__isnull=True)
    return current.select_related("organization").order_by("organization__name", "organization_id")


def organizations_of(user: User) -> QuerySet[Organization]:
    """The organizations that the user is in now, by name."""
    return Organization.objects.filter(memberships__user=user, memberships__left_at__isnull=True).order_by("name", "id")
