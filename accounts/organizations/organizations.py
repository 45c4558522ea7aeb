"""Changes to people and organizations, with the dated history that routing reads.

Functions that take `now` are called inside `with accounts.changes.routing_change(user) as now`, which says when the change
takes effect. What they decide on they read themselves, with the rows of the organization and then of the user locked, so that
two changes to one of them come one after the other.
"""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string
from django.utils.text import slugify

from accounts import limits, public_ids
from accounts.audit import audit
from accounts.audit.audit import SYSTEM_ACTOR, Actor
from accounts.changes import ForwardOnlyError
from accounts.emails import normalized
from accounts.models import DefaultOrganizationChange, Membership, Organization, User
from accounts.organizations import open_invitations

PERSONAL_NAME = "Personal"
MAX_SLUG_LENGTH = 60
RANDOM_CHARACTERS = 8


class ChangeRefusedError(ValueError):
    """A change that the rules of organizations forbid; the message says why."""


class EmailTakenError(ChangeRefusedError):
    """There is a user with this email already."""


class AlreadyMemberError(ChangeRefusedError):
    """The user is in the organization already."""


class NotAMemberError(ChangeRefusedError):
    """The user is not in the organization now."""


class LastOwnerError(ChangeRefusedError):
    """An organization always keeps at least one owner."""


class OwnersOnlyError(ChangeRefusedError):
    """Only owners make, change or remove owners."""


class OnlyOrganizationError(ChangeRefusedError):
    """A user always keeps an organization to be their default."""


def create_user(*, email: str, now: datetime, name: str = "", password: str | None = None) -> User:
    """A new person with a personal organization, which is their default one, also for all times before.

    Raises EmailTakenError.
    """
    if User.objects.filter(email=normalized(email)).exists():
        raise EmailTakenError(f"There is already a user with the email {email}.")
    user = User.objects.create_user(email, password, name=name)
    welcome_user(user=user, now=now)
    return user


def welcome_user(*, user: User, now: datetime) -> None:
    """Gives a person who has just been added their personal organization, as their default one for all times."""
    actor = Actor(user=user, name=user.email)
    personal = create_organization(name=PERSONAL_NAME, owner=user, now=now, is_personal=True, actor=actor)
    user.default_organization = personal
    user.save(update_fields=["default_organization"])
    DefaultOrganizationChange.objects.create(user=user, organization=personal, effective_at=now)


def create_organization(  # noqa: PLR0913 - one keyword for each thing that can be said about an organization
    *,
    name: str,
    owner: User,
    now: datetime,
    slug: str = "",
    parent: Organization | None = None,
    is_personal: bool = False,
    actor: Actor = SYSTEM_ACTOR,
) -> Organization:
    """A new organization with its first owner. Its address is `slug`, which is free, or the name with random characters
    behind it: an address that is free or taken would tell who is a customer.

    Raises ChangeRefusedError for a parent that has a parent itself: consolidated billing has one level.
    """
    if parent is not None:
        parent = locked(parent)
        require_may_pay(parent)
    organization = Organization.objects.create(
        name=name, slug=slug or random_slug(name), parent=parent, is_personal=is_personal
    )
    _record("organization.created", organization, actor)
    add_member(organization=organization, user=owner, role=Membership.Role.OWNER, now=now, actor=actor)
    return organization


def require_may_pay(parent: Organization) -> None:
    """Raises ChangeRefusedError for an organization that cannot pay for others."""
    if parent.parent_id is not None:
        raise ChangeRefusedError(f"{parent} is billed to another organization and cannot have children.")
    if parent.ended_at is not None:
        raise ChangeRefusedError(f"{parent} has ended and cannot pay for others.")


def require_not_ended(organization: Organization) -> None:
    """Raises ChangeRefusedError for an organization that nobody can come into any more."""
    if organization.ended_at is not None:
        raise ChangeRefusedError(f"{organization} has ended.")


def rename_organization(*, organization: Organization, name: str, actor: Actor) -> None:
    """Gives the organization another name; its address stays."""
    before, organization.name = organization.name, name
    with transaction.atomic():
        organization.save(update_fields=["name"])
        _record("organization.updated", organization, actor, name=name, name_before=before)


def set_usage_visibility(*, organization: Organization, usage_visibility: str, actor: Actor) -> None:
    """Who sees the organization's usage: everyone in it, or owners and admins only."""
    organization.usage_visibility = usage_visibility
    with transaction.atomic():
        organization.save(update_fields=["usage_visibility"])
        _record("organization.updated", organization, actor, usage_visibility=usage_visibility)


def add_member(
    *, organization: Organization, user: User, role: str, now: datetime, actor: Actor = SYSTEM_ACTOR
) -> Membership:
    """From `now` on the user is in the organization, and open invitations to them end.

    Raises AlreadyMemberError, ChangeRefusedError if the organization has ended, or limits.LimitReachedError if they have come in
    often on this day.
    """
    require_not_ended(locked(organization))
    if _current(organization, user) is not None:
        raise AlreadyMemberError(f"{user} is already in {organization}.")
    earlier, most = Membership.objects.filter(organization=organization, user=user), settings.JOINS_PER_DAY
    limits.require_room(earlier, f"{user} came into {organization}", at=now, most=most, moment="joined_at")
    membership = Membership.objects.create(organization=organization, user=user, role=role, joined_at=now)
    _record("user.added", organization, actor, user=user, role=role)
    open_invitations.end_those_to([membership], actor=actor)
    return membership


def set_role(*, organization: Organization, user: User, role: str, actor: Actor = SYSTEM_ACTOR) -> bool:
    """Gives a member another role; open invitations that they could not send with it end. Returns whether anything changed.

    Raises NotAMemberError or LastOwnerError.
    """
    locked(organization)
    membership = _require_current(organization, user)
    if membership.role == role:
        return False
    if membership.role == Membership.Role.OWNER and not _has_other_owner(membership):
        raise LastOwnerError(f"{user} is the last owner of {organization}. Make someone else an owner first.")
    before, membership.role = membership.role, role
    membership.save(update_fields=["role"])
    _record("user.updated", organization, actor, user=user, role=role, role_before=before)
    open_invitations.end_those_beyond(organization, {user.pk: role}, actor=actor)
    return True


def require_may_manage(*, by: User | None, organization: Organization, user: User, new_role: str = "") -> None:
    """Owners manage all members, admins those who are no owners, staff with the right to it (None) all. Raises
    OwnersOnlyError or NotAMemberError.

    What it finds holds until the end of the transaction.
    """
    locked(organization)
    membership = _require_current(organization, user)
    if by is None:
        return
    manager = _require_current(organization, by)
    if manager.role == Membership.Role.READER:
        raise OwnersOnlyError("Only owners and admins can manage members.")
    if manager.role != Membership.Role.OWNER and Membership.Role.OWNER in (membership.role, new_role):
        raise OwnersOnlyError("Only owners can make someone an owner, change an owner's role or remove an owner.")


def require_may_invite(*, by: User | None, organization: Organization, role: str) -> None:
    """Owners and admins invite, and owners alone invite owners; staff with the right to it (None) invites all. Raises
    OwnersOnlyError or NotAMemberError."""
    locked(organization)
    if by is None:
        return
    inviter = _require_current(organization, by)
    if inviter.role == Membership.Role.READER:
        raise OwnersOnlyError("Only owners and admins can invite people.")
    if not User.objects.filter(pk=by.pk, is_active=True).exists():  # closed at this moment, and with it what they sent
        raise OwnersOnlyError("This account has just been closed.")
    if role == Membership.Role.OWNER and inviter.role != Membership.Role.OWNER:
        raise OwnersOnlyError("Only owners can invite owners.")


def end_organization(*, organization: Organization, now: datetime, actor: Actor = SYSTEM_ACTOR) -> None:
    """From `now` on nobody is in the organization, its owners neither. It stays, with its usage and its invoices.

    Raises ChangeRefusedError while it pays for others.
    """
    locked(organization)  # nobody is given it as their payer meanwhile
    if Organization.objects.filter(parent=organization, ended_at__isnull=True).exists():
        raise ChangeRefusedError(
            f"{organization} pays for other organizations. End these first, or let others pay for them."
        )
    organization.ended_at = now
    organization.save(update_fields=["ended_at"])
    _record("organization.ended", organization, actor, ended_at=now.isoformat())
    for user in User.objects.filter(memberships__organization=organization, memberships__left_at__isnull=True):
        remove_member(organization=organization, user=user, now=now, actor=actor, for_good=True)


def resume_organization(*, organization: Organization, actor: Actor = SYSTEM_ACTOR) -> None:
    """An ended organization is in use again; nobody is in it yet."""
    organization.ended_at = None
    organization.save(update_fields=["ended_at"])
    _record("organization.resumed", organization, actor)


def remove_member(
    *,
    organization: Organization,
    user: User,
    now: datetime,
    actor: Actor = SYSTEM_ACTOR,
    for_good: bool = False,
) -> None:
    """Ends the user's membership at `now`; if it was their default organization, another of theirs becomes it. Open
    invitations to them and those that they sent end with it.

    `for_good`, which is the operator's right: one who is in no other organization then has no default one. Raises
    NotAMemberError, LastOwnerError unless the organization ends, or OnlyOrganizationError.
    """
    is_ending = locked(organization).ended_at is not None
    _lock_default(user)
    membership = _require_current(organization, user)
    if membership.role == Membership.Role.OWNER and not is_ending and not _has_other_owner(membership):
        raise LastOwnerError(f"{user} is the last owner of {organization}. Make someone else an owner first.")
    if user.default_organization_id == organization.id:
        _move_default(user, organization, now=now, actor=actor, may_have_none=for_good)
    membership.left_at = now
    membership.save(update_fields=["left_at"])
    import_string(settings.MEMBER_LEFT)(organization=organization, user=user)
    _record("user.deleted", organization, actor, user=user, role=membership.role)
    open_invitations.end_those_of(organization, user, actor=actor)


def set_default_organization(
    *, user: User, organization: Organization, now: datetime, actor: Actor = SYSTEM_ACTOR
) -> bool:
    """From `now` on, usage that names no organization counts in this one. Returns whether anything changed.

    Raises NotAMemberError, ForwardOnlyError for a moment before an earlier change, and limits.LimitReachedError for a day with
    many of them. Who leaves can always leave: as often as they can come in.
    """
    _lock_default(user)
    _require_current(organization, user)
    if user.default_organization_id != organization.id:
        most, what = settings.SWITCHES_PER_DAY, f"The default organization of {user} was changed"
        limits.require_room(user.default_organization_changes.all(), what, at=now, most=most)
    return _switch_default(user, organization, now=now, actor=actor)


def _switch_default(user: User, organization: Organization, *, now: datetime, actor: Actor) -> bool:
    if user.default_organization_id == organization.id:
        return False
    if user.default_organization_changes.filter(effective_at__gt=now).exists():
        raise ForwardOnlyError("The default organization changes forward only: this user has a later change.")
    before = user.default_organization
    user.default_organization = organization
    user.save(update_fields=["default_organization"])
    DefaultOrganizationChange.objects.update_or_create(
        user=user, effective_at=now, defaults={"organization": organization}
    )
    # Owners of each learn what happened there, and not the name of the other one.
    _record("user.default_organization.added", organization, actor, user=user, effective_at=now.isoformat())
    if before is not None:
        _record("user.default_organization.removed", before, actor, user=user, effective_at=now.isoformat())
    return True


def locked(organization: Organization) -> Organization:
    """The organization as it is; until the end of the transaction nobody else changes it or who is in it."""
    return Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)


def _record(
    event: str, organization: Organization, actor: Actor, *, user: User | None = None, **details: object
) -> None:
    """An entry about a member, or about the organization itself."""
    target = organization if user is None else user
    audit.record(
        event,
        actor=actor,
        organization=organization,
        target_id=target.public_id,
        target_name=str(target),
        details=details,
    )


def _lock_default(user: User) -> None:
    """The user's default organization is read again; until the end of the transaction nobody else changes it."""
    user.refresh_from_db(
        fields=["default_organization"], from_queryset=User.objects.select_for_update(no_key=True, of=("self",))
    )


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


def _move_default(user: User, leaving: Organization, *, now: datetime, actor: Actor, may_have_none: bool) -> None:
    """Raises OnlyOrganizationError."""
    try:
        following = _next_default(user, leaving)
    except OnlyOrganizationError:
        if not may_have_none:
            raise
        user.default_organization = None
        user.save(update_fields=["default_organization"])
        _record("user.default_organization.removed", leaving, actor, user=user, effective_at=now.isoformat())
    else:
        _switch_default(user, following, now=now, actor=actor)


def _next_default(user: User, leaving: Organization) -> Organization:
    """The personal organization first, then the one that the user joined first."""
    remaining = Membership.objects.filter(user=user, left_at__isnull=True).exclude(organization=leaving)
    membership = (
        remaining.select_related("organization").order_by("-organization__is_personal", "joined_at", "id").first()
    )
    if membership is None:
        raise OnlyOrganizationError(f"{leaving} is the only organization of {user}.")
    return membership.organization


def random_slug(name: str) -> str:
    """'Acme Inc.' → 'acme-inc-k3v9q2xw': 36⁸ of them for each name, so that none is taken."""
    base = slugify(name)[: MAX_SLUG_LENGTH - RANDOM_CHARACTERS - 1].strip("-_") or "organization"
    return f"{base}-{public_ids.random_lower(RANDOM_CHARACTERS)}"
