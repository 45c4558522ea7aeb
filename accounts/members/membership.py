"""The members of an organization, as the members page shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from accounts.access import Access
from accounts.models import AuditEvent, Membership, Organization, User


@dataclass(frozen=True)
class Member:
    """One member. `num_keys` counts their usable keys that are shown by name here; `roles` are those one may give them.

    `is_default_elsewhere`: usage of their keys counts in another organization, unless a request names this one.
    """

    user: User
    role: str
    joined_at: datetime
    num_keys: int
    is_default_elsewhere: bool
    is_self: bool
    roles: tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True)
class RoleChange:
    """The latest change of a member's role, as the audit log has it; `before` is the role that undoes it."""

    user: User
    role: str
    before: str


def roles_to_give(access: Access) -> list[tuple[str, str]]:
    """The roles that this person may give to others, with their labels."""
    return [(value, str(label)) for value, label in Membership.Role.choices if access.is_owner or value != "owner"]


def latest_role_change(access: Access, public_id: str) -> RoleChange | None:
    """What this person changed last about the role of the member with this id, as long as it is how things are."""
    member = Membership.objects.filter(
        organization=access.organization, user__public_id=public_id.replace("\0", ""), left_at__isnull=True
    )
    found = member.select_related("user").first()
    if found is None or not access.may_change:
        return None
    events = AuditEvent.objects.filter(
        organization=access.organization, event="user.updated", target_id=found.user.public_id
    )
    latest = events.order_by("-occurred_at", "-id").first()
    if latest is None or latest.actor_id != access.user.pk or latest.details.get("role") != found.role:
        return None
    return RoleChange(found.user, found.get_role_display().lower(), latest.details["role_before"])


def memberships_in(access: Access, words: str = "") -> QuerySet[Membership]:
    """Those of now with these words in the person's name or email address, by name."""
    current = Membership.objects.filter(organization=access.organization, left_at__isnull=True)
    if words:
        current = current.filter(Q(user__name__icontains=words) | Q(user__email__icontains=words))
    return current.select_related("user").order_by("user__name", "user__email")


def members(access: Access, memberships: Sequence[Membership]) -> list[Member]:
    """These, in this order. Admins may not change owners, so those have no roles to choose from. One query."""
    num_keys = _num_keys_shown(access.organization, [found.user_id for found in memberships])
    return [
        Member(
            user=found.user,
            role=found.get_role_display(),
            joined_at=found.joined_at,
            num_keys=num_keys.get(found.user_id, 0),
            is_default_elsewhere=found.user.default_organization_id != found.organization_id,
            is_self=found.user == access.user,
            roles=tuple((value, label, value == found.role) for value, label in roles_to_give(access))
            if access.may_change and (access.is_owner or found.role != Membership.Role.OWNER)
            else (),
        )
        for found in memberships
    ]


def _num_keys_shown(organization: Organization, user_ids: Sequence[int]) -> dict[int, int]:
    """How many usable keys of each of these people are shown by name in the organization."""
    shown = User.objects.filter(
        pk__in=user_ids,
        default_organization=organization,
        api_keys__tracked=True,
        api_keys__revoked_at__isnull=True,
    )
    return dict(shown.annotate(number=Count("api_keys")).values_list("pk", "number"))
