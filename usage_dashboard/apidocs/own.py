"""What examples say of the reader's own, in the place of what stands there for everybody."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from accounts.access import memberships_of
from accounts.installation import described
from accounts.models import Membership, Organization, Project, User
from accounts.periods import midnight, month_of
from apikeys.models import AdminKey, APIKey

Values = Mapping[object, object]


@dataclass(frozen=True)
class Own:
    """`organization`: the reader's default one, if there is a reader who has one; `values`: what stands for what."""

    organization: Organization | None = None
    is_owner: bool = False
    values: Values = field(default_factory=dict)

    def filled(self, value: Any) -> Any:
        """An example with the reader's own in it."""
        if isinstance(value, dict):
            return {name: self.filled(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self.filled(part) for part in value]
        return self.values.get(value, value)


def own_of(user: User | None, now: datetime) -> Own:
    """Of somebody who is not signed in: the time alone."""
    moments = _moments(now)
    if user is None:
        return Own(values=moments)
    keys = APIKey.objects.filter(user=user, revoked_at__isnull=True).exclude(expires_at__lte=now)
    values = moments | {described.PERSON: user.public_id, described.KEY: _first_id(keys)}
    membership = memberships_of(user).filter(organization=user.default_organization_id).first()
    if membership is None:
        return Own(values=_known(values))
    organization, is_owner = membership.organization, membership.role == Membership.Role.OWNER
    values[described.ORGANIZATION] = organization.public_id
    projects = Project.objects.filter(organization=organization, archived_at__isnull=True)
    values[described.PROJECT] = _first_id(projects, "-is_default")
    if is_owner:
        usable = AdminKey.objects.filter(organization=organization, revoked_at__isnull=True).exclude(
            expires_at__lte=now
        )
        values[described.ADMIN_KEY] = _first_id(usable)
    return Own(organization, is_owner, _known(values))


def _moments(now: datetime) -> dict[object, object]:
    just = now.replace(microsecond=0) - timedelta(seconds=1)
    seconds = int(just.timestamp())
    return {
        described.MONTH: f"{now:%Y-%m}",
        described.MONTH_BEGAN_AT: f"{now:%Y-%m}-01T00:00:00Z",
        described.MONTH_BEGAN: int(midnight(month_of(now.date()).start).timestamp()),
        described.NOW: f"{just:%Y-%m-%dT%H:%M:%SZ}",
        described.NOW_SECONDS: seconds,
        described.NOW_NANOSECONDS: f"{seconds}000000000",
    }


def _first_id(rows: Any, *order: str) -> str | None:
    found: str | None = rows.order_by(*order, "pk").values_list("public_id", flat=True).first()
    return found


def _known(values: dict[object, object]) -> Values:
    return {placeholder: value for placeholder, value in values.items() if value is not None}
