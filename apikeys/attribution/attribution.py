"""What usage of a key is for in an organization: a project and values of attributes, forward from the moment they are chosen.

An event may say otherwise for itself. What is stored stays as it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings

from accounts import limits
from accounts.audit import audit
from accounts.audit.audit import SYSTEM_ACTOR, Actor
from accounts.changes import ForwardOnlyError
from accounts.models import Attribute, Membership, Organization, Project
from accounts.organizations.organizations import locked
from accounts.projects.attributes import clean_values, declared_of
from accounts.projects.projects import default_name
from apikeys.models import APIKey, KeyAttribution

SHOWN: Final = 100
"""Changes of a kind that a key's history shows, the latest ones."""


class AttributionRefusedError(ValueError):
    """A key that cannot have another project or other values; the message says why."""


class ProjectRefusedHereError(AttributionRefusedError):
    """A project that the key cannot have; the message says why."""


class ChangedMeanwhileError(AttributionRefusedError):
    """Somebody else has chosen for the key since the person who chooses now has looked."""


@dataclass(frozen=True)
class Chosen:
    """What was chosen for a key, in words. `since` is None for what holds from the beginning."""

    since: datetime | None
    project: str
    values: tuple[tuple[str, str], ...]
    """(title, value), in order of the attributes' names. Those of a withdrawn attribute are not stored any more."""
    row: KeyAttribution | None


def set_attribution(  # noqa: PLR0913 - one keyword for each thing that is chosen or known
    *,
    api_key: APIKey,
    organization: Organization,
    project: Project | None,
    attributes: Mapping[str, str],
    now: datetime,
    replaces: int | None = None,
    actor: Actor = SYSTEM_ACTOR,
) -> bool:
    """From `now` on, usage of the key in the organization is for this project and has these values. Returns whether anything
    changed. To be called inside `with accounts.changes.routing_change(api_key.user) as now`.

    `project` None is the default one. `replaces` is what `version_of` said when the person looked. Raises
    AttributionRefusedError, ForwardOnlyError for a moment before an earlier choice, AttributeRefusedError or
    InvalidValueError of `accounts.projects.attributes`, and limits.LimitReachedError.
    """
    locked(organization)
    api_key.refresh_from_db(from_queryset=APIKey.objects.select_for_update(no_key=True, of=("self",)))
    _require_usable(api_key, organization, now)
    before = current_of(api_key, organization)
    if replaces is not None and replaces != version_of(before):
        raise ChangedMeanwhileError("Somebody else changed this meanwhile. Look at what is chosen now, and save again.")
    project = _usable_project(project, organization, before)
    values = clean_values(organization, attributes)
    if (before.project_id if before else None, before.attributes if before else {}) == (project and project.pk, values):
        return False
    if before is not None and before.effective_at > now:
        raise ForwardOnlyError("Attribution works forward only: this key has a later change.")
    _require_room(api_key, organization, now)
    row, _ = KeyAttribution.objects.update_or_create(
        api_key=api_key,
        organization=organization,
        effective_at=now,
        defaults={"project": project, "attributes": values},
    )
    _record(api_key, actor, row)
    return True


def current_of(api_key: APIKey, organization: Organization) -> KeyAttribution | None:
    """What was chosen for the key last; None while nothing was."""
    chosen = KeyAttribution.objects.filter(api_key=api_key, organization=organization).select_related("project")
    return chosen.order_by("-effective_at").first()


def version_of(chosen: KeyAttribution | None) -> int:
    """A number that is another one once somebody has chosen anew."""
    return 0 if chosen is None else chosen.pk


def history_of(api_key: APIKey, organization: Organization, *, until: datetime | None = None) -> list[Chosen]:
    """What was chosen for the key until then, newest first; the last one holds from the beginning. Of more than SHOWN those in
    between are left out.
    """
    default, titles = default_name(organization), titles_of(organization)
    rows = KeyAttribution.objects.filter(api_key=api_key, organization=organization).select_related("project")
    if until is not None:
        rows = rows.filter(effective_at__lte=until)
    chosen = [in_words(row, default=default, titles=titles) for row in rows.order_by("-effective_at")[:SHOWN]]
    return [*chosen, Chosen(None, default, (), None)]


def in_words(row: KeyAttribution, *, default: str, titles: Mapping[str, str]) -> Chosen:
    """A row with the names that people know. `default` is the name of the default project."""
    return Chosen(
        since=row.effective_at,
        project=row.project.name if row.project else default,
        values=titled(row.attributes, titles),
        row=row,
    )


def titled(values: Mapping[str, str], titles: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """(title, value) of each attribute, in order of the attributes' names."""
    return tuple((titles.get(name, name), value) for name, value in sorted(values.items()))


def titles_of(organization: Organization) -> dict[str, str]:
    """The titles of all attributes that the organization ever declared, by name."""
    return dict(Attribute.objects.filter(organization=organization).values_list("name", "title"))


def reason_against(api_key: APIKey, organization: Organization, *, now: datetime) -> str:
    """Why nothing can be chosen for the key here any more; empty if something can."""
    if api_key.revoked_at is not None:
        return "This key is revoked."
    if api_key.expires_at is not None and api_key.expires_at <= now:
        return "This key has expired."
    members = Membership.objects.filter(organization=organization, left_at__isnull=True)
    if not members.filter(user_id=api_key.user_id).exists():
        return f"The user of this key is not in {organization}."
    return ""


def choices_for(organization: Organization, chosen: KeyAttribution | None) -> tuple[list[Project], list[Attribute]]:
    """The projects and attributes that can be chosen for a key: those in use, and the archived project that it has."""
    projects = Project.objects.filter(organization=organization, is_default=False)
    offered = [
        project
        for project in projects.order_by("name", "id")
        if project.archived_at is None or (chosen is not None and chosen.project_id == project.pk)
    ]
    return offered, declared_of(organization)


def _require_usable(api_key: APIKey, organization: Organization, now: datetime) -> None:
    if reason := reason_against(api_key, organization, now=now):
        raise AttributionRefusedError(f"{reason} Nothing was changed.")


def _require_room(api_key: APIKey, organization: Organization, now: datetime) -> None:
    """Of what a person's keys are for on a day, one organization alone cannot use up what others may still choose."""
    what = f"What usage of the keys of {api_key.user} is for was changed"
    of_user, most = KeyAttribution.objects.filter(api_key__user=api_key.user_id), settings.SWITCHES_PER_DAY
    limits.require_room(of_user.filter(organization=organization), what, at=now, most=most)
    limits.require_room(of_user, what, at=now, most=2 * most)


def _usable_project(
    project: Project | None, organization: Organization, before: KeyAttribution | None
) -> Project | None:
    """The project as it is now; None for the default one. An archived project can be kept, and not be chosen."""
    if project is None:
        return None
    found = Project.objects.filter(organization=organization, pk=project.pk).first()
    if found is None:
        raise ProjectRefusedHereError(f"{organization} has no such project.")
    if found.archived_at is not None and (before is None or before.project_id != found.pk):
        raise ProjectRefusedHereError(f"“{found.name}” is archived. Choose another project, or restore it first.")
    return None if found.is_default else found


def _record(api_key: APIKey, actor: Actor, row: KeyAttribution) -> None:
    audit.record(
        "api_key.attributed",
        actor=actor,
        organization=row.organization,
        target_id=api_key.public_id,
        target_name=api_key.name,
        details={
            "project": row.project.name if row.project else default_name(row.organization),
            **{f"attribute {name}": value for name, value in row.attributes.items()},
            "effective_at": row.effective_at.isoformat(),
            "user": api_key.user.email,
        },
    )
