"""The keys of a person, as the API keys page shows them, and those that an organization's people may look at."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, Q, QuerySet, Subquery

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


def own_keys(user: User, words: str = "") -> QuerySet[APIKey]:
    """The user's keys whose name, id or shown end of the secret has these words in it; the newest first, revoked ones too."""
    found = Q(name__icontains=words) | Q(public_id__icontains=words) | Q(redacted__icontains=words) if words else Q()
    return APIKey.objects.filter(found, user=user).order_by("-created_at", "-id")


def working_keys(user: User, *, now: datetime) -> QuerySet[APIKey]:
    """The user's keys that open the API now, the newest first."""
    is_good = Q(expires_at__isnull=True) | Q(expires_at__gt=now)
    return own_keys(user).filter(is_good, revoked_at__isnull=True)


def index_of(keys: QuerySet[APIKey], public_id: str) -> int | None:
    """How many of `own_keys` are before that one; None if it is not among them."""
    found = keys.filter(public_id=public_id).first() if public_id else None
    if found is None:
        return None
    is_newer = Q(created_at__gt=found.created_at) | Q(created_at=found.created_at, id__gt=found.pk)
    return keys.filter(is_newer).count()


def listed(user: User, keys: Collection[APIKey], *, now: datetime) -> list[ListedKey]:
    """These keys of the user, in their order. The number of queries does not depend on theirs."""
    switched = _switched(keys)
    chosen = _chosen_for(user, keys)
    return [
        ListedKey(
            api_key=api_key,
            switched_at=switched.get(api_key.id),
            is_expired=api_key.expires_at is not None and api_key.expires_at <= now,
            old_secret_until=api_key.old_secret_until(now),
            chosen=chosen(api_key.id),
        )
        for api_key in keys
    ]


def _switched(keys: Collection[APIKey]) -> dict[int, datetime]:
    """When each of these keys was switched last, by its id. However often it was, the first and the last row are looked up."""
    of_key = TrackingChange.objects.filter(api_key=OuterRef("pk")).values("effective_at")
    first, last = of_key.order_by("effective_at")[:1], of_key.order_by("-effective_at")[:1]
    rows = APIKey.objects.filter(pk__in=[api_key.pk for api_key in keys])
    ends = rows.values_list("pk", Subquery(first), Subquery(last))
    return {key_id: switched_at for key_id, made_at, switched_at in ends if switched_at != made_at}


def _chosen_for(user: User, keys: Collection[APIKey]) -> Callable[[int], Chosen | None]:
    """What is chosen for each of these keys of the user in their default organization."""
    organization = user.default_organization
    if organization is None or not (has_projects(organization) or declared_of(organization)):
        return lambda _: None
    default, titles = default_name(organization), titles_of(organization)
    of_key = KeyAttribution.objects.filter(api_key=OuterRef("pk"), organization=organization).order_by("-effective_at")
    latest = APIKey.objects.filter(pk__in=[api_key.pk for api_key in keys]).values_list(
        Subquery(of_key.values("pk")[:1])
    )
    rows = KeyAttribution.objects.filter(pk__in=latest).select_related("project")
    words = {row.api_key_id: in_words(row, default=default, titles=titles) for row in rows}
    nothing = Chosen(None, default, (), None)
    return lambda key_id: words.get(key_id, nothing)
