"""What an organization's usage is for: its projects.

Functions that change something are called inside `with accounts.changes.organization_change(organization)`, in which nobody
else changes the organization's projects.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.audit import audit
from accounts.audit.audit import SYSTEM_ACTOR, Actor
from accounts.models import Organization, Project
from accounts.pages.words import counted

DEFAULT_NAME: Final = "Default project"


class ProjectRefusedError(ValueError):
    """A change that the rules of projects forbid; the message says why."""


def default_of(organization: Organization) -> Project:
    """The organization's default project, made now if nobody needed it before."""
    found = Project.objects.filter(organization=organization, is_default=True).first()
    if found is not None:
        return found
    project, _ = Project.objects.get_or_create(
        organization=organization, is_default=True, defaults={"name": _free_name(organization, DEFAULT_NAME)}
    )
    return project


def default_name(organization: Organization) -> str:
    """The name under which usage without a project is shown, whether somebody needed the default project before or not."""
    found = Project.objects.filter(organization=organization, is_default=True).first()
    return DEFAULT_NAME if found is None else found.name


def has_projects(organization: Organization) -> bool:
    """Whether there is, or was, another project than the default one."""
    return Project.objects.filter(organization=organization, is_default=False).exists()


def make_project(*, organization: Organization, name: str, actor: Actor = SYSTEM_ACTOR) -> Project:
    """A new project. Raises ProjectRefusedError for a name that is in use, and over MAX_PROJECTS."""
    default_of(organization)
    _require_room(organization)
    with _unique_name(name):
        project = Project.objects.create(organization=organization, name=name)
    _record("project.created", project, actor)
    return project


def rename_project(*, project: Project, name: str, actor: Actor = SYSTEM_ACTOR) -> bool:
    """Gives the project another name, in past usage too. Returns whether anything changed. Raises ProjectRefusedError."""
    project.refresh_from_db()
    before, project.name = project.name, name
    if name == before:
        return False
    with _unique_name(name):
        project.save(update_fields=["name"])
    _record("project.updated", project, actor, name_before=before)
    return True


def archive_project(*, project: Project, now: datetime, actor: Actor = SYSTEM_ACTOR) -> bool:
    """From now on nobody can choose the project; keys and events that name it still count in it.

    Returns whether anything changed. Raises ProjectRefusedError for the default one.
    """
    project.refresh_from_db()
    if project.is_default:
        raise ProjectRefusedError("The default project can't be archived: usage without a project counts in it.")
    if project.archived_at is not None:
        return False
    project.archived_at = now
    project.save(update_fields=["archived_at"])
    _record("project.archived", project, actor)
    return True


def restore_project(*, project: Project, actor: Actor = SYSTEM_ACTOR) -> bool:
    """The project can be chosen again. Returns whether anything changed.

    Raises ProjectRefusedError if its name is in use meanwhile, and over MAX_PROJECTS.
    """
    project.refresh_from_db()
    if project.archived_at is None:
        return False
    _require_room(project.organization)
    project.archived_at = None
    with _unique_name(project.name):
        project.save(update_fields=["archived_at"])
    _record("project.restored", project, actor)
    return True


@contextmanager
def _unique_name(name: str) -> Iterator[None]:
    """Says in words what the database says of a name that is in use."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "project_active_name_unique" not in str(error):
            raise
        raise ProjectRefusedError(f"There is already a project named “{name}”. Choose another name.") from error


def _free_name(organization: Organization, wanted: str) -> str:
    """The name, with a number behind it if an active project has it."""
    taken = {
        name.lower()
        for name in Project.objects.filter(
            organization=organization, archived_at__isnull=True, name__istartswith=wanted
        ).values_list("name", flat=True)
    }
    names = (wanted, *(f"{wanted} {number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name.lower() not in taken)


def _require_room(organization: Organization) -> None:
    most = settings.MAX_PROJECTS_PER_ORGANIZATION
    if Project.objects.filter(organization=organization, archived_at__isnull=True).count() >= most:
        raise ProjectRefusedError(
            f"{organization} has {counted(most, 'project')}, which is the limit. Archive one that is no longer needed."
        )


def _record(event: str, project: Project, actor: Actor, **details: object) -> None:
    audit.record(
        event,
        actor=actor,
        organization=project.organization,
        target_id=project.public_id,
        target_name=project.name,
        details=details,
    )
