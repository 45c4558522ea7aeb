"""The keys of a person, as the API keys page shows them, and those that an organization's people may look at."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from accounts.access import Access, made_by_members
from accounts.models import User
from apikeys.keys.keys import TRACKED_BY_DEFAULT_FROM
from apikeys.models import APIKey, TrackingChange


@dataclass(frozen=True)
class ListedKey:
    """One key, with the moment of its last switch of tracking (None if it was never switched)."""

    api_key: APIKey
    switched_at: datetime | None
    is_expired: bool
    old_secret_until: datetime | None
    """Until when the secret before the last rotation is still valid, if it is."""

    @property
    def is_old_and_untracked(self) -> bool:
        """Created when keys were not tracked by default, and never switched on."""
        return (
            not self.api_key.tracked and self.switched_at is None and self.api_key.created_at < TRACKED_BY_DEFAULT_FROM
        )


def keys_seen_by(access: Access) -> QuerySet[APIKey]:
    """One's own keys and, for owners and admins, those that people of the organization made before they left it."""
    own = Q(user=access.user)
    members = made_by_members(access, user="user", made_at="created_at")
    return APIKey.objects.filter(own | Q(members) if access.is_admin else own)


def keys_of(user: User, *, now: datetime) -> list[ListedKey]:
    """The user's keys, the newest first, revoked ones included."""
    switches: dict[int, list[datetime]] = {}
    for change in TrackingChange.objects.filter(api_key__user=user).order_by("effective_at"):
        switches.setdefault(change.api_key_id, []).append(change.effective_at)
    return [
        ListedKey(
            api_key=api_key,
            switched_at=switches[api_key.id][-1] if len(switches.get(api_key.id, ())) > 1 else None,
            is_expired=api_key.expires_at is not None and api_key.expires_at <= now,
            old_secret_until=api_key.old_secret_until(now),
        )
        for api_key in APIKey.objects.filter(user=user).order_by("-created_at", "-id")
    ]
