"""What an organization's usage can be for, as events name it: its projects, and the attributes that it has declared."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from accounts.models import Attribute, Project

DEFAULT_PROJECT: Final = 0
"""The default project, whatever its row's id: usage of it is stored as usage without a project."""


@dataclass(frozen=True, slots=True)
class Declarations:
    """Ids of an organization's projects, archived ones too, by public id; and of its attributes that are not withdrawn, by
    name, in the order of the ids."""

    projects: Mapping[str, int] = field(default_factory=dict)
    attributes: Mapping[str, int] = field(default_factory=dict)


NO_DECLARATIONS: Final = Declarations()


def of_organizations(organization_ids: Collection[int]) -> dict[int, Declarations]:
    """What each of these organizations has declared, with two queries."""
    projects: dict[int, dict[str, int]] = {}
    rows = Project.objects.filter(organization__in=organization_ids)
    for organization_id, public_id, project_id, is_default in rows.values_list(
        "organization_id", "public_id", "id", "is_default"
    ):
        projects.setdefault(organization_id, {})[public_id] = DEFAULT_PROJECT if is_default else project_id
    attributes: dict[int, dict[str, int]] = {}
    declared = Attribute.objects.filter(organization__in=organization_ids, withdrawn_at__isnull=True).order_by("id")
    for organization_id, name, attribute_id in declared.values_list("organization_id", "name", "id"):
        attributes.setdefault(organization_id, {})[name] = attribute_id
    return {
        organization_id: Declarations(projects.get(organization_id, {}), attributes.get(organization_id, {}))
        if organization_id in projects or organization_id in attributes
        else NO_DECLARATIONS
        for organization_id in organization_ids
    }
