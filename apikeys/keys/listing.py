"""The keys of a person, as the API keys page shows them, and those that an organization's people may look at."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from accounts.access import Access, made_by_members
from accounts.models import User
from accounts.projects.attributes import declared_of
from accounts.projects.projects import default_name, has_projects
from apikeys.attribution.attribution import Chosen, in_words, titles_of
from apikeys.keys.keys import TRACKED_BY_DEFAULT_FROM
from apikeys.models import APIKey, KeyAttribution, TrackingChange


@dataclass(frozen=True)
class ListedKey:
    """One key, with the moment of its last switch of tracking (None if it was never switched)."""

    api_key: APIKey
    switched_at: datetime | None
    is_expired: bool
    old_secret_until: datetime | None
    """Until when the secret before the last rotation is still valid, if it is."""
    chosen: Chosen | None
    """What its usage in the default organization is for; None where nothing can be chosen."""

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
    chosen = _chosen_for(user)
    return [
        ListedKey(
            api_key=api_key,
            switched_at=switches[api_key.id][-1] if len(switches.get(api_key.id, ())) > 1 else None,
            is_expired=api_key.expires_at is not None and api_key.expires_at <= now,
            old_secret_until=api_key.old_secret_until(now),
            chosen=chosen(api_key.id),
        )
        for api_key in APIKey.objects.filter(user=user).order_by("-created_at", "-id")
    ]


def _chosen_for(user: User) -> Callable[[int], Chosen | None]:
    """What is chosen for each of the user's keys in their default organization."""
    organization = user.default_organization
    if organization is None or not (has_projects(organization) or declared_of(organization)):
        return lambda _: None
    default, titles = default_name(organization), titles_of(organization)
    rows = KeyAttribution.objects.filter(api_key__user=user, organization=organization).select_related("project")
    latest = {row.api_key_id: row for row in rows.order_by("effective_at")}
    words = {key_id: in_words(row, default=default, titles=titles) for key_id, row in latest.items()}
    nothing = Chosen(None, default, (), None)
    return lambda key_id: words.get(key_id, nothing)
