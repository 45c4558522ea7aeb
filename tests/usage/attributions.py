"""What usage was for, given to stored events that are not rolled up yet; and what the tables say of it, told by Python."""

from collections.abc import Mapping
from typing import Final

from django.utils import timezone

from accounts.models import Attribute, Organization, Project, User
from metering.attribution_models import NOTHING, OTHER, PROJECT, AttributeValue, Attribution, AttributionPart
from metering.models import IngestBatch, UsageEvent

OTHER_VALUES: Final = "Other values"


def declare(organization: Organization, name: str, title: str) -> Attribute:
    return Attribute.objects.create(organization=organization, name=name, title=title, declared_at=timezone.now())


def attribution_of(organization: Organization, project: Project | None, values: Mapping[str, str]) -> int:
    """The attribution of a project and values by the name of their attribute; OTHER_VALUES is no value but the overflow."""
    parts = [] if project is None or project.is_default else [(PROJECT, project.pk)]
    attributes = {found.name: found.pk for found in Attribute.objects.filter(organization=organization)}
    for name, text in values.items():
        value = OTHER if text == OTHER_VALUES else AttributeValue.objects.get_or_create(value=text)[0].pk
        parts.append((attributes[name], value))
    if not parts:
        return NOTHING
    flat = [number for pair in sorted(parts) for number in pair]
    found, is_new = Attribution.objects.get_or_create(organization_id=organization.pk, parts=flat)
    if is_new:
        AttributionPart.objects.bulk_create(
            AttributionPart(attribution_id=found.pk, attribute_id=attribute, value_id=value)
            for attribute, value in parts
        )
    return found.pk


def say(user: User, organization: Organization, project: Project | None, values: Mapping[str, str]) -> None:
    """All usage of the person in the organization that waits is for this."""
    waiting = IngestBatch.objects.filter(rolled_up_at__isnull=True).values("id")
    UsageEvent.objects.filter(batch_id__in=waiting, user_id=user.pk, organization_id=organization.pk).update(
        attribution_id=attribution_of(organization, project, values)
    )
