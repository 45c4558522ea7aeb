"""Which keys usage of a project comes from, as far as a person may know of them."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber

from accounts.access import Access, members_of
from accounts.models import Organization, Project
from apikeys.attribution.attribution import titled, titles_of
from apikeys.models import APIKey, KeyAttribution

FEW: Final = 3
MOST: Final = 200


@dataclass(frozen=True)
class KeyOfProject:
    """A key, and what else was chosen for it: (title, value) of each attribute."""

    api_key: APIKey
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class KeysOfProject:
    """The first keys of a project, by name, and how many there are."""

    keys: tuple[KeyOfProject, ...] = ()
    total: int = 0

    @property
    def num_more(self) -> int:
        return self.total - len(self.keys)


NONE: Final = KeysOfProject()


def keys_by_project(access: Access, shown: Collection[Project], *, now: datetime) -> dict[int | None, KeysOfProject]:
    """A few active keys of each of these projects, by its id, and those of the default one, by None. One query."""
    found: dict[int | None, list[Any]] = defaultdict(list)
    asked = Q(project_id__isnull=True) | Q(project_id__in=[one.pk for one in shown])
    for api_key in (
        _numbered(keys_with_project(access, now=now).filter(asked)).filter(number__lte=FEW).order_by("name", "id")
    ):
        found[api_key.project_id].append(api_key)
    return {
        project_id: KeysOfProject(tuple(KeyOfProject(api_key, ()) for api_key in keys), keys[0].total)
        for project_id, keys in found.items()
    }


def keys_of_project(access: Access, project: Project, *, now: datetime) -> KeysOfProject:
    """The active keys of one project, MOST of them at most."""
    keys = keys_with_project(access, now=now)
    of_one = keys.filter(project_id__isnull=True) if project.is_default else keys.filter(project_id=project.pk)
    found = list(of_one.select_related("user").order_by("name", "id")[:MOST])
    titles = titles_of(access.organization)
    rows = (KeyOfProject(api_key, titled(api_key.chosen_values or {}, titles)) for api_key in found)
    return KeysOfProject(tuple(rows), len(found) if len(found) < MOST else of_one.count())


def keys_with_project(access: Access, *, now: datetime) -> "QuerySet[Any]":
    """The active keys of members that count here by default or have something chosen here, with `project_id` and `chosen_values`.

    Owners and admins see them all; others their own and, if they see everybody's usage, those that it shows by name.
    """
    active = keys_of_organization(access.organization, now=now)
    if not access.is_admin:
        is_here = Q(user__default_organization=access.organization)
        shown = Q(tracked=True) & is_here if access.sees_all_usage else Q(pk__in=())
        active = active.filter(Q(user=access.user) | shown)
    return active


def keys_of_organization(organization: Organization, *, now: datetime) -> "QuerySet[Any]":
    """As `keys_with_project`, all of them: for programs that read the whole organization."""
    chosen = KeyAttribution.objects.filter(api_key=OuterRef("pk"), organization=organization)
    latest = chosen.order_by("-effective_at")
    is_here = Q(user__default_organization=organization)
    active = APIKey.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=now), is_here | Exists(chosen), revoked_at__isnull=True
    ).filter(user__in=members_of(organization).values("pk"))
    return active.annotate(
        project_id=Subquery(latest.values("project_id")[:1]), chosen_values=Subquery(latest.values("attributes")[:1])
    )


def _numbered(keys: "QuerySet[Any]") -> "QuerySet[Any]":
    numbered: QuerySet[Any] = keys.annotate(
        number=Window(RowNumber(), partition_by=F("project_id"), order_by=["name", "id"]),
        total=Window(Count("*"), partition_by=F("project_id")),
    )
    return numbered
