"""Which members' keys are visible in an organization, which are not, and why; and asking for more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet

from accounts.access import members_of
from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.models import Organization, User
from apikeys.models import APIKey, VisibilityRequest

ASK_EVERY: Final = timedelta(days=7)  # as the database holds it


class Visibility(StrEnum):
    """Whether usage of a key shows under its name in an organization; if not, why."""

    VISIBLE = "visible here"
    TRACKING_OFF = "tracking is off"
    OTHER_DEFAULT = "its usage is counted in another default organization"


class AskedRecentlyError(ValueError):
    """The person was asked within the last week."""


@dataclass(frozen=True)
class MemberKeys:
    """One member with their usable keys, those that are visible here first. `asked_at` is when they were asked last.

    `is_default_elsewhere` is said of who has no key yet, too: the next one they make counts there.
    """

    user: User
    visible: tuple[APIKey, ...]
    untracked: tuple[APIKey, ...]
    num_elsewhere: int
    is_default_elsewhere: bool
    asked_at: datetime | None

    @property
    def ask_again_at(self) -> datetime | None:
        return self.asked_at and self.asked_at + ASK_EVERY

    @property
    def is_covered(self) -> bool:
        return not self.untracked and not self.num_elsewhere


def visibility_of(api_key: APIKey, organization: Organization) -> Visibility:
    """Another default organization comes first: there, tracking would change nothing here."""
    if api_key.user.default_organization_id != organization.id:
        return Visibility.OTHER_DEFAULT
    return Visibility.VISIBLE if api_key.tracked else Visibility.TRACKING_OFF


def people_in(organization: Organization) -> QuerySet[User]:
    """The members of now, by name."""
    return members_of(organization).order_by("name", "email")


def coverage_of(organization: Organization, users: Sequence[User], *, now: datetime) -> list[MemberKeys]:
    """These members, in this order. Two queries, however many there are."""
    usable = usable_keys(users, now=now)
    asked = dict(
        VisibilityRequest.objects.filter(user__in=users).order_by("asked_at").values_list("user_id", "asked_at")
    )
    return [_member_keys(user, usable.get(user.pk, []), organization, asked.get(user.pk)) for user in users]


def num_keys_of(organization: Organization, *, now: datetime) -> tuple[int, int]:
    """How many usable keys of the members of now are visible in the organization, and how many are not."""
    usable = APIKey.objects.filter(user__in=members_of(organization), revoked_at__isnull=True).exclude(
        expires_at__lte=now
    )
    is_visible = Q(tracked=True, user__default_organization=organization)
    found = usable.aggregate(all=Count("pk"), visible=Count("pk", filter=is_visible))
    return found["visible"], found["all"] - found["visible"]


def usable_keys(users: Sequence[User], *, now: datetime) -> dict[int, list[APIKey]]:
    """The keys that open the API now, by user, in order of their names."""
    found: dict[int, list[APIKey]] = {}
    keys = APIKey.objects.filter(user__in=users, revoked_at__isnull=True).select_related("user").order_by("name", "id")
    for api_key in keys:
        if api_key.expires_at is None or api_key.expires_at > now:
            found.setdefault(api_key.user_id, []).append(api_key)
    return found


def ask(*, organization: Organization, user: User, actor: Actor, now: datetime) -> None:
    """Notes that the person is asked, whom the caller then writes to. Raises AskedRecentlyError within a week.

    The database refuses a second request within seven days, whoever asks. Who asks at once waits at the person: two rows
    that are written at once and may not stand together would wait for each other.
    """
    try:
        with transaction.atomic():
            User.objects.select_for_update(no_key=True).get(pk=user.pk)
            VisibilityRequest.objects.create(organization=organization, user=user, asked_by=actor.user, asked_at=now)
            audit.record(
                "api_key.visibility_requested",
                actor=actor,
                organization=organization,
                target_id=user.public_id,
                target_name=user.email,
            )
    except IntegrityError as error:
        raise AskedRecentlyError(f"{user.display_name} was asked within the last seven days.") from error


def _member_keys(user: User, usable: list[APIKey], organization: Organization, asked_at: datetime | None) -> MemberKeys:
    by_visibility: dict[Visibility, list[APIKey]] = {found: [] for found in Visibility}
    for api_key in usable:
        by_visibility[visibility_of(api_key, organization)].append(api_key)
    return MemberKeys(
        user=user,
        visible=tuple(by_visibility[Visibility.VISIBLE]),
        untracked=tuple(by_visibility[Visibility.TRACKING_OFF]),
        is_default_elsewhere=user.default_organization_id != organization.id,
        num_elsewhere=len(by_visibility[Visibility.OTHER_DEFAULT]),
        asked_at=asked_at,
    )
