"""Who and what there is in the organizations that a key reads, in the shapes of OpenAI's admin API."""

from datetime import datetime
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.http import Http404

from accounts.access import find_seen
from accounts.models import Membership, Organization, Project, User
from accounts.projects.projects import DEFAULT_NAME
from apikeys.adminkeys.authentication import AdminCaller
from apikeys.attribution.project_keys import keys_of_organization
from apikeys.models import AdminKey, APIKey
from exports.openai_api.lists import Row
from metering.usage.names import DEFAULT_PROJECT

DEFAULT_ID: Final = DEFAULT_PROJECT.address_value
"""The id of the default project of organizations that never needed it to have one."""


def projects_of(caller: AdminCaller, *, archived: bool) -> "QuerySet[Project]":
    rows = Project.objects.filter(organization__in=caller.organizations)
    return rows if archived else rows.filter(archived_at__isnull=True)


def unmade_default(caller: AdminCaller) -> Row | None:
    """The default project where an organization has none that has an id."""
    if not _without_default(caller):
        return None
    return _project_row(DEFAULT_ID, DEFAULT_NAME, caller.organization.created_at)


def keys_of_unmade_default(caller: AdminCaller) -> "QuerySet[Any]":
    """The active keys of all organizations whose default project has no id: these have no other project. Http404 without any."""
    organizations = _without_default(caller)
    if not organizations:
        raise Http404("Every organization that the key reads has a default project with an id.")
    unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=caller.now)
    rows = APIKey.objects.filter(unexpired, revoked_at__isnull=True, user__default_organization__in=organizations)
    return rows.select_related("user")


def _without_default(caller: AdminCaller) -> list[Organization]:
    made = Project.objects.filter(organization__in=caller.organizations, is_default=True)
    known = set(made.values_list("organization_id", flat=True))
    return [found for found in caller.organizations if found.pk not in known]


def show_project(project: Project) -> Row:
    row = _project_row(project.public_id, project.name, project.created_at)
    is_archived = project.archived_at is not None
    return {**row, "archived_at": _seconds(project.archived_at), "status": "archived" if is_archived else "active"}


def find_project(caller: AdminCaller, public_id: str) -> Project:
    """Http404 for one that the key does not read, as if it did not exist."""
    return find_seen(projects_of(caller, archived=True).select_related("organization"), public_id=public_id)


def keys_of_project(caller: AdminCaller, public_id: str) -> "QuerySet[Any]":
    """The active keys whose usage is for the project, as of now. Http404 for one that the key does not read."""
    if public_id == DEFAULT_ID:
        return keys_of_unmade_default(caller)
    project = find_project(caller, public_id)
    keys = keys_of_organization(project.organization, now=caller.now).select_related("user")
    return keys.filter(project_id__isnull=True) if project.is_default else keys.filter(project_id=project.pk)


def show_api_key(api_key: Any) -> Row:
    user = api_key.user
    owner = {"id": user.public_id, "name": user.name or user.email, "email": user.email, "role": "member"}
    return {
        "object": "organization.project.api_key",
        "id": api_key.public_id,
        "name": api_key.name,
        "redacted_value": api_key.redacted,
        "created_at": _seconds(api_key.created_at),
        "last_used_at": _seconds(api_key.last_used_at),
        "expires_at": _seconds(api_key.expires_at),
        "owner": {"type": "user", "user": {**owner, "created_at": _seconds(user.created_at)}},
        "owner_project_access": "active",
    }


def users_of(caller: AdminCaller) -> "QuerySet[User]":
    current = Membership.objects.filter(organization__in=caller.organizations, left_at__isnull=True)
    return User.objects.filter(pk__in=current.values("user"))


def show_users(caller: AdminCaller, users: list[User]) -> list[Row]:
    """Each with the role in the key's own organization, or in the first of its children that they are in."""
    current = Membership.objects.filter(organization__in=caller.organizations, left_at__isnull=True, user__in=users)
    is_own_last = sorted(current, key=lambda found: (found.organization_id == caller.organization.pk, -found.pk))
    memberships = {found.user_id: found for found in is_own_last}
    return [_user_row(user, memberships[user.pk]) for user in users if user.pk in memberships]


def _user_row(user: User, membership: Membership) -> Row:
    return {
        "object": "organization.user",
        "id": user.public_id,
        "name": user.name or None,
        "email": user.email,
        "role": membership.role,
        "added_at": _seconds(membership.joined_at),
    }


def admin_keys_of(caller: AdminCaller) -> "QuerySet[AdminKey]":
    """The valid ones of the key's own organization alone: those of its children are their own."""
    rows = AdminKey.objects.filter(organization=caller.organization, revoked_at__isnull=True)
    return rows.select_related("created_by")


def show_admin_key(admin_key: AdminKey) -> Row:
    by = admin_key.created_by
    owner: Row = {"type": "user", "object": "organization.user", "role": "owner"}
    if by is not None:
        owner |= {"id": by.public_id, "name": by.name or by.email, "created_at": _seconds(by.created_at)}
    return {
        "object": "organization.admin_api_key",
        "id": admin_key.public_id,
        "name": admin_key.name,
        "redacted_value": admin_key.redacted,
        "created_at": _seconds(admin_key.created_at),
        "expires_at": _seconds(admin_key.expires_at),
        "last_used_at": _seconds(admin_key.last_used_at),
        "owner": owner,
        "x_scopes": admin_key.scopes,
    }


def _project_row(public_id: str, name: str, created_at: datetime) -> Row:
    return {
        "object": "organization.project",
        "id": public_id,
        "name": name,
        "created_at": _seconds(created_at),
        "archived_at": None,
        "status": "active",
    }


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
