"""People of an organization as its identity provider says them: who comes in, who leaves, what they are called.

The provider speaks for its organization, and for addresses at the mail domains that staff has found to be the organization's.
So it makes accounts at these domains alone; an account that is also somebody else's, or was not made here, keeps its name and
address; and leaving ends the membership in this organization and in no other.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError
from django.db.models import Q, QuerySet

from accounts import changes
from accounts.access import members_of
from accounts.emails import normalized
from accounts.limits import LimitReachedError
from accounts.models import AuditEvent, Membership, Organization, User
from accounts.organizations.many import add_members, create_users, give_first_defaults
from accounts.organizations.organizations import (
    ChangeRefusedError,
    add_member,
    locked,
    remove_member,
    set_default_organization,
)
from usage_dashboard.models import MailDomain, ScimPerson
from usage_dashboard.provisioning.things.users import (
    change_email,
    is_staff,
    release_claims,
    rename,
    revoke_keys,
    set_active,
)
from usage_dashboard.scim import groups
from usage_dashboard.scim.providers import Provider, ScimRefusedError, Why


@dataclass(frozen=True)
class Said:
    """What the provider says of a person. `active` None: nothing of whether they are in."""

    user_name: str
    active: bool | None
    external_id: str = ""
    name: str = ""
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Person:
    """A person of the organization as the provider sees them. `row` is None until it has said something of them."""

    user: User
    row: ScimPerson | None
    is_in: bool

    @property
    def user_name(self) -> str:
        """Their address, as the provider wrote it if it is the same; of who is out what it said last, not what they changed."""
        if self.row is None:
            return self.user.email if self.is_in else ""
        return self.user.email if self.is_in and self.row.user_name.lower() != self.user.email else self.row.user_name


def called(organization: Organization, user_name: str) -> Q:
    """Who has this address, as the provider sees it (`Person.user_name`)."""
    here = members_of(organization).values("pk")
    said = ScimPerson.objects.filter(organization=organization, user_name__iexact=user_name).values("user")
    return Q(email__iexact=user_name, pk__in=here) | (Q(pk__in=said) & ~Q(pk__in=here))


def seen_by(organization: Organization) -> QuerySet[User]:
    """Who is in the organization, and who the provider has put out of it and not deleted."""
    said = ScimPerson.objects.filter(organization=organization, deleted_at__isnull=True)
    return User.objects.filter(Q(pk__in=members_of(organization).values("pk")) | Q(pk__in=said.values("user")))


def unseen_by(organization: Organization) -> QuerySet[User]:
    """Who was in the organization, and does not exist for the provider any more."""
    ever = Membership.objects.filter(organization=organization).values("user")
    return User.objects.filter(pk__in=ever).exclude(pk__in=seen_by(organization).values("pk"))


def persons(organization: Organization, users: Iterable[User]) -> list[Person]:
    """These users, in their order."""
    users = list(users)
    ids = [user.pk for user in users]
    rows = {row.user_id: row for row in ScimPerson.objects.filter(organization=organization, user__in=ids)}
    here = set(members_of(organization).filter(pk__in=ids).values_list("pk", flat=True))
    return [Person(user, rows.get(user.pk), user.pk in here) for user in users]


def add(by: Provider, said: Said) -> User:
    """The person is in the organization from now on, with an account if they had none. Raises ScimRefusedError."""
    email = _own_address(by, said.user_name)
    confirmed = EmailAddress.objects.filter(email=email, verified=True).select_related("user").first()
    try:
        if confirmed is None:
            return _make(by, email, said)
        user: User = confirmed.user
        if is_staff(user) or user.email != email:
            raise _taken(email)
        with changes.routing_change(user) as now:
            _take_in(by, user, said, now)
    except IntegrityError as error:
        raise _taken(email) from error
    return user


def change(by: Provider, user: User, said: Said, *, require: Callable[[Person], None]) -> None:
    """The person is to be like this. `require` raises if they are not any more what the change was made for.

    Raises ScimRefusedError.
    """
    try:
        with changes.routing_change(user) as now:
            locked(by.organization)
            user.refresh_from_db()
            (person,) = persons(by.organization, [user])
            require(person)
            row = person.row or ScimPerson(organization=by.organization, user=user)
            _say(by, user, row, said, now)
            if said.active is True and not person.is_in:
                _join(by, user, row, now)
            elif person.is_in and said.active is False:
                in_groups = list(groups.groups_of(by.organization).filter(people=user))
                _leave(by, user, row, now)
                groups.keep(user, in_groups)
    except IntegrityError as error:
        raise _taken(said.user_name) from error


def remove(by: Provider, user: User) -> None:
    """The person leaves, and the provider does not see them any more. What they did stays. Raises ScimRefusedError."""
    with changes.routing_change(user) as now:
        locked(by.organization)
        user.refresh_from_db()
        (person,) = persons(by.organization, [user])
        row = person.row or ScimPerson(organization=by.organization, user=user, user_name=user.email)
        if person.is_in:
            _leave(by, user, row, now)
        groups.leave_all(by.organization, user, now=now)
        row.deleted_at = row.updated_at = now
        row.save()


def _make(by: Provider, email: str, said: Said) -> User:
    """An account for somebody who has none; how they sign in is between them, their provider and their mailbox."""
    with changes.change() as now:
        locked(by.organization)
        _require_room(by.organization)
        release_claims({email})
        is_in = said.active is not False
        user = User(email=email, name=said.name, is_active=is_in)
        create_users([user], actor=by.actor)
        closed_at = None if is_in else now
        row = ScimPerson(organization=by.organization, user=user, is_made_here=True, closed_at=closed_at)
        _keep(row, said, now)
        if is_in:
            role = groups.role_of(by.organization, user)
            membership = Membership(organization=by.organization, user=user, role=role, joined_at=now)
            try:
                add_members([membership], actor=by.actor)
            except ChangeRefusedError as error:
                raise ScimRefusedError(Why.IN_THE_WAY, str(error)) from error
            give_first_defaults([membership], actor=by.actor)
    return user


def _take_in(by: Provider, user: User, said: Said, now: datetime) -> None:
    """Somebody who has an account already, at a domain of the organization's."""
    locked(by.organization)
    user.refresh_from_db()
    (person,) = persons(by.organization, [user])
    if person.is_in or (person.row is not None and person.row.deleted_at is None):
        raise ScimRefusedError(Why.TAKEN, f"{user} is here already.")
    _require_room(by.organization)
    row = person.row or ScimPerson(organization=by.organization, user=user)
    _keep(row, said, now)
    if said.active is not False:
        _join(by, user, row, now)


def _say(by: Provider, user: User, row: ScimPerson, said: Said, now: datetime) -> None:
    if said.user_name.lower() not in {user.email, row.user_name.lower()}:
        email = _own_address(by, said.user_name)
        if email != user.email:
            _require_to_name(by, user, row)
            if EmailAddress.objects.filter(email=email, verified=True).exclude(user=user).exists():
                raise _taken(email)
            change_email(user, email, by.actor)
    if said.name and said.name != user.name and _is_only_here(by.organization, user, row):
        rename(user, said.name, by.actor)
    _keep(row, said, now)


def _keep(row: ScimPerson, said: Said, now: datetime) -> None:
    row.user_name, row.external_id, row.more = said.user_name, said.external_id, said.more
    row.updated_at, row.deleted_at = now, None
    row.save()


def _join(by: Provider, user: User, row: ScimPerson, now: datetime) -> None:
    if not user.is_active:
        if is_staff(user) or not _has_closed(user, row):
            raise ScimRefusedError(
                Why.IN_THE_WAY, f"The account of {row.user_name} is closed. Ask the operator to open it."
            )
        set_active(user, by.actor, is_active=True)
    row.closed_at = None
    row.save(update_fields=["closed_at"])
    try:
        role = groups.role_of(by.organization, user)
        add_member(organization=by.organization, user=user, role=role, now=now, actor=by.actor)
        if user.default_organization_id is None:
            set_default_organization(user=user, organization=by.organization, now=now, actor=by.actor)
    except (ChangeRefusedError, LimitReachedError) as error:
        raise ScimRefusedError(Why.IN_THE_WAY, str(error)) from error


def _has_closed(user: User, row: ScimPerson) -> bool:
    """Whether this provider closed the account. Whoever opened it since and closed it again is somebody else."""
    if not row.is_made_here or row.closed_at is None:
        return False
    opened = AuditEvent.objects.filter(organization=None, event="user.reactivated", occurred_at__gt=row.closed_at)
    return not opened.filter(target_id=user.public_id).exists()


def _leave(by: Provider, user: User, row: ScimPerson, now: datetime) -> None:
    """An account that was made here and is in no organization any more is closed: its sessions end, its keys are revoked."""
    closes = user.is_active and _is_only_here(by.organization, user, row)
    if closes:
        revoke_keys(user, now, by.actor)
    try:
        remove_member(organization=by.organization, user=user, now=now, actor=by.actor, for_good=True)
    except ChangeRefusedError as error:
        raise ScimRefusedError(Why.IN_THE_WAY, str(error)) from error
    if closes:
        set_active(user, by.actor, is_active=False)
        row.closed_at = now
        row.save(update_fields=["closed_at"])


def _own_address(by: Provider, user_name: str) -> str:
    """The address as it is kept. Raises ScimRefusedError for one that is not the organization's to give out."""
    try:
        email = normalized(user_name)
        validate_email(email)
    except ValidationError as error:
        raise ScimRefusedError(Why.INVALID, "userName is not an email address.") from error
    if not _is_own(by, email):
        domain = email.rpartition("@")[2]
        raise ScimRefusedError(
            Why.INVALID, f"{domain} is no mail domain of this organization. The operator can add it, if it is yours."
        )
    return email


def _is_own(by: Provider, email: str) -> bool:
    return MailDomain.objects.filter(organization=by.organization, name=email.rpartition("@")[2]).exists()


def _is_only_here(organization: Organization, user: User, row: ScimPerson) -> bool:
    """Whether the account was made here and is in no other organization: then it is this one's to name."""
    elsewhere = Membership.objects.filter(user=user, left_at__isnull=True).exclude(organization=organization)
    return row.is_made_here and not is_staff(user) and not elsewhere.exists()


def _require_to_name(by: Provider, user: User, row: ScimPerson) -> None:
    """The refusal says no address that the provider has not said: who is out may have another since."""
    if not _is_own(by, user.email) or not _is_only_here(by.organization, user, row):
        name = row.user_name or user.email
        raise ScimRefusedError(Why.INVALID, f"{name} has an account of their own, and changes its address themselves.")


def _require_room(organization: Organization) -> None:
    if ScimPerson.objects.filter(organization=organization).count() >= settings.SCIM_MAX_PEOPLE:
        raise ScimRefusedError(Why.IN_THE_WAY, f"There are {settings.SCIM_MAX_PEOPLE:,} people, which is the limit.")


def _taken(email: str) -> ScimRefusedError:
    return ScimRefusedError(Why.TAKEN, f"{email} cannot be added: the address is taken.")
