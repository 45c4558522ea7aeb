"""What usage is for: organizations declare it, keys carry it, and the rollups say how much of it there was."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import models

from accounts import changes
from accounts.clock import database_now
from accounts.models import Attribute, Organization, Project
from accounts.projects import attributes, projects
from apikeys.models import APIKey, KeyAttribution
from metering.attribution_models import ALL, OTHER, PROJECT, AttributeValue
from metering.models import (
    HourlyUsage,
    MonthlyUsage,
    OrganizationDailyUsage,
    OrganizationHourlyUsage,
    ValueDailyUsage,
    ValueHourlyUsage,
    ValueMonthlyUsage,
)

OTHERS: Final = "Other values"
GRAINS: Final = {
    ValueHourlyUsage: OrganizationHourlyUsage,
    ValueDailyUsage: OrganizationDailyUsage,
    ValueMonthlyUsage: MonthlyUsage,
}
"""The rows by value of each grain, and rows of all usage there."""


def declare(organization: Organization, *names: str) -> list[Attribute]:
    with changes.organization_change(organization) as now:
        return [attributes.declare(organization=organization, name=name, title=name.title(), now=now) for name in names]


def withdraw(attribute: Attribute) -> None:
    with changes.organization_change(attribute.organization) as now:
        attributes.withdraw(attribute=attribute, now=now)


def make_project(organization: Organization, name: str = "Search") -> Project:
    with changes.organization_change(organization):
        return projects.make_project(organization=organization, name=name)


def carry(
    key: APIKey,
    organization: Organization,
    *,
    since: datetime | None = None,
    project: Project | None = None,
    **values: str,
) -> None:
    """From then on, by default from now on, usage of the key in the organization is for this."""
    with changes.routing_change(key.user):
        KeyAttribution.objects.create(
            api_key=key,
            organization=organization,
            project=project,
            attributes=values,
            effective_at=since or database_now(),
        )


def requests_by(attribute: Attribute | None, organization: Organization) -> dict[str, int]:
    """Requests by value, or by project's name for None, in the rows of days. What there is of none has no entry."""
    rows = ValueDailyUsage.objects.filter(
        organization_id=organization.pk, attribute_id=PROJECT if attribute is None else attribute.pk
    ).exclude(value_id=ALL)
    sums = rows.values_list("value_id").annotate(models.Sum("num_model_requests"))
    names: Mapping[int, Any] = Project.objects.in_bulk() if attribute is None else AttributeValue.objects.in_bulk()
    return {OTHERS if value_id == OTHER else str(names[value_id]): int(number) for value_id, number in sums}


def num_requests(organization: Organization) -> int:
    """All requests, in the rows of hours."""
    total = HourlyUsage.objects.filter(organization_id=organization.pk).aggregate(
        total=models.Sum("num_model_requests")
    )["total"]
    return int(total or 0)
