"""Groups of an identity provider, and the roles that their people have.

A person has the highest role of the groups that they are in. Who is in no group with a role keeps the role that they have; who
leaves the last one is a reader. Whoever is put out of the organization by others than the provider is in no group
any more, until the provider names them again. Functions here are called inside a transaction, and lock the organization first.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db.models import Count, QuerySet

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.clock import database_now
from accounts.models import Membership, Organization, User
from accounts.organizations.many import set_roles
from accounts.organizations.organizations import LastOwnerError, locked
from usage_dashboard.models import ScimGroup
from usage_dashboard.scim.providers import Provider, ScimRefusedError, Why

RISING: Final = ("reader", "admin", "owner")


@dataclass(frozen=True)
class GroupSaid:
    """What the provider says of a group."""

    name: str
    external_id: str
    people: Collection[User]


def groups_of(organization: Organization) -> QuerySet[ScimGroup]:
    return ScimGroup.objects.filter(organization=organization)


def sizes_of(rows: Iterable[ScimGroup]) -> dict[int, int]:
    """How many people are in each of these groups, by its id; empty ones are left out. The people are not read."""
    links = ScimGroup.people.through.objects.filter(scimgroup__in=[row.pk for row in rows])
    return dict(links.values_list("scimgroup").annotate(Count("pk")))


def add(by: Provider, said: GroupSaid, *, now: datetime) -> ScimGroup:
    """A new group without a role: an owner gives it one. Raises ScimRefusedError."""
    locked(by.organization)
    if groups_of(by.organization).count() >= settings.SCIM_MAX_GROUPS:
        raise ScimRefusedError(Why.IN_THE_WAY, f"There are {settings.SCIM_MAX_GROUPS:,} groups, which is the limit.")
    _require_free(by.organization, said.name)
    group = ScimGroup.objects.create(
        organization=by.organization, name=said.name, external_id=said.external_id, updated_at=now
    )
    group.people.set(said.people)
    _record("scim_group.created", group, by.actor, people=len(said.people))
    return group


def change(
    by: Provider, group: ScimGroup, said: GroupSaid, *, now: datetime, require: Callable[[ScimGroup], None]
) -> None:
    """The group is to be like this. `require` raises if it is not any more what the change was made for."""
    _lock(group)
    require(group)
    if group.name.lower() != said.name.lower():
        _require_free(group.organization, said.name)
    has = set(group.people.all())
    with_role = _mapped_roles(group.organization, {user.pk for user in {*has, *said.people}})
    group.name, group.external_id, group.updated_at = said.name, said.external_id, now
    group.save(update_fields=["name", "external_id", "updated_at"])
    group.people.set(said.people)
    _settle(group.organization, has ^ set(said.people), with_role, by.actor)
    _record("scim_group.updated", group, by.actor, people=len(said.people))


def remove(group: ScimGroup, *, actor: Actor) -> None:
    """The group is gone, and with it the role that it gave. Raises ScimRefusedError."""
    _lock(group)
    people = list(group.people.all())
    with_role = _mapped_roles(group.organization, {user.pk for user in people})
    _record("scim_group.deleted", group, actor)
    group.people.clear()
    group.delete()
    _settle(group.organization, people, with_role, actor)


def left(*, organization: Organization, user: User) -> None:
    """Whoever is not in the organization any more is in none of its groups. The setting MEMBER_LEFT names this."""
    leave_all(organization, user, now=database_now())


def keep(user: User, in_groups: Iterable[ScimGroup]) -> None:
    """The provider has put the person out, and not out of these groups: they come back with the role that these give."""
    for group in in_groups:
        group.people.add(user)


def leave_all(organization: Organization, user: User, *, now: datetime) -> None:
    """The person is in none of its groups any more; with their membership, their role has ended."""
    for group in groups_of(organization).filter(people=user):
        group.people.remove(user)
        group.updated_at = now
        group.save(update_fields=["updated_at"])


def give_role(group: ScimGroup, role: str, *, actor: Actor) -> None:
    """Its people have this role from now on, unless another group of theirs gives a higher one. Raises ScimRefusedError."""
    _lock(group)
    if group.role == role:
        return
    people = list(group.people.all())
    with_role = _mapped_roles(group.organization, {user.pk for user in people})
    group.role = role
    group.save(update_fields=["role"])
    _settle(group.organization, people, with_role, actor)
    _record("scim_group.updated", group, actor, role=role or None)


def role_of(organization: Organization, user: User) -> str:
    """The role with which a person comes in."""
    return _mapped_roles(organization, {user.pk}).get(user.pk, Membership.Role.READER)


def _lock(group: ScimGroup) -> None:
    """The group is read again, while nobody changes the organization. Raises ScimRefusedError if it is gone."""
    locked(group.organization)
    try:
        group.refresh_from_db()
    except ScimGroup.DoesNotExist as error:
        raise ScimRefusedError(Why.GONE, "This group has been deleted.") from error


def _mapped_roles(organization: Organization, user_ids: Collection[int]) -> dict[int, str]:
    """The highest role that groups give to each of these people; who is given none is not in it."""
    given = groups_of(organization).exclude(role="").filter(people__in=user_ids).values_list("people", "role")
    found: dict[int, str] = {}
    for user_id, role in given:
        found[user_id] = max(found.get(user_id, role), role, key=RISING.index)
    return found


def _settle(organization: Organization, people: Iterable[User], before: Mapping[int, str], actor: Actor) -> None:
    """These people, whose groups have changed, have the role that their groups give now."""
    ids = {user.pk for user in people}
    after = dict.fromkeys(ids & before.keys(), str(Membership.Role.READER)) | _mapped_roles(organization, ids)
    try:
        set_roles(organization=organization, roles=after, actor=actor)
    except LastOwnerError as error:
        raise ScimRefusedError(Why.IN_THE_WAY, str(error)) from error


def _require_free(organization: Organization, name: str) -> None:
    if groups_of(organization).filter(name__iexact=name).exists():
        raise ScimRefusedError(Why.TAKEN, f"There is a group “{name}” already.")


def _record(event: str, group: ScimGroup, actor: Actor, **details: object) -> None:
    audit.record(
        event,
        actor=actor,
        organization=group.organization,
        target_id=group.public_id,
        target_name=group.name,
        details=details,
    )
