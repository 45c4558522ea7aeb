"""Names that events of an organization came with and that it has not declared."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from accounts.models import Organization
from accounts.projects.attributes import NAME_FORM, declared_of
from metering.attribution_models import UndeclaredAttribute
from metering.display import exact

MOST: Final = 50


@dataclass(frozen=True)
class Undeclared:
    """A name that was dropped from events, how many, and when last."""

    name: str
    num_events: int
    last_seen_at: datetime

    @property
    def events(self) -> str:
        return exact(self.num_events)

    @property
    def can_be_declared(self) -> bool:
        return NAME_FORM.fullmatch(self.name) is not None

    @property
    def title(self) -> str:
        """What it is called until people choose another title: 'end_customer' → 'End customer'."""
        return self.name.replace("_", " ").strip().capitalize() or self.name


def undeclared_of(organization: Organization) -> list[Undeclared]:
    """The names of most events first, MOST of them at most, without those that are declared by now."""
    declared = [attribute.name for attribute in declared_of(organization)]
    found = UndeclaredAttribute.objects.filter(organization_id=organization.pk).exclude(name__in=declared)
    return [
        Undeclared(one.name, one.num_events, one.last_seen_at) for one in found.order_by("-num_events", "name")[:MOST]
    ]
