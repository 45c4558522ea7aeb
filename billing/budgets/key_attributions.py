"""What a key's use is for at this moment: its project and values of attributes, as ingest would decide of an event.

Asked only where a budget of a project or a value is spent. What the key carries is remembered for a second, and that a project
exists for good.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.db.models.functions import Now

from accounts.models import Attribute, Organization, Project
from apikeys.models import KeyAttribution

REMEMBERED_SECONDS: Final = 1.0
MAX_REMEMBERED: Final = 100_000


@dataclass(frozen=True, slots=True)
class Carried:
    """What a key carries in an organization. `project` is a public id, empty for the default project without a row."""

    project: str
    values: Mapping[str, str]


_carried: dict[tuple[int, int], tuple[float, Carried]] = {}
_projects: set[tuple[int, str]] = set()


def project_of(organization: Organization, api_key_id: int, *, named: str | None) -> str:
    """The public id of the project: the named one, or the key's."""
    return named or _carried_by(organization, api_key_id).project


def value_of(organization: Organization, api_key_id: int, name: str, *, said: Mapping[str, str]) -> str | None:
    """The value of an attribute: what is said, or the key's; None if the organization has not declared the attribute."""
    value = said.get(name) or _carried_by(organization, api_key_id).values.get(name)
    is_declared = Attribute.objects.filter(organization=organization, name=name, withdrawn_at__isnull=True)
    return value if value and is_declared.exists() else None


def has_project(organization: Organization, public_id: str) -> bool:
    """Whether the organization has, or had, a project with this public id."""
    key = (organization.pk, public_id)
    if key in _projects:
        return True
    found = Project.objects.filter(organization=organization, public_id=public_id).exists()
    if found:
        if len(_projects) > MAX_REMEMBERED:
            _projects.clear()
        _projects.add(key)
    return found


def forget() -> None:
    """Drop this process's memory (for tests)."""
    _carried.clear()
    _projects.clear()


def _carried_by(organization: Organization, api_key_id: int) -> Carried:
    key, now = (organization.pk, api_key_id), time.monotonic()
    known = _carried.get(key)
    if known is not None and now - known[0] < REMEMBERED_SECONDS:
        return known[1]
    if len(_carried) > MAX_REMEMBERED:
        _carried.clear()
    found = _look_up(organization, api_key_id)
    _carried[key] = (now, found)
    return found


def _look_up(organization: Organization, api_key_id: int) -> Carried:
    rows = KeyAttribution.objects.filter(api_key=api_key_id, organization=organization, effective_at__lte=Now())
    latest = rows.select_related("project").order_by("-effective_at").first()
    project = latest.project if latest is not None else None
    if project is None:
        project = Project.objects.filter(organization=organization, is_default=True).first()
    return Carried(project.public_id if project else "", latest.attributes if latest is not None else {})
