"""Which members' keys are visible in an organization, which are not, and why; and asking for more."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.db import IntegrityError, transaction

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.models import Membership, Organization, User
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


def coverage_of(organization: Organization, *, now: datetime) -> list[MemberKeys]:
    """The members of now, by name. Three queries, however many there are."""
    members = Membership.objects.filter(organization=organization, left_at__isnull=True).select_related("user")
    users = [membership.user for membership in members.order_by("user__name", "user__email")]
    usable = usable_keys(users, now=now)
    asked = dict(
        VisibilityRequest.objects.filter(user__in=users).order_by("asked_at").values_list("user_id", "asked_at")
    )
    return [_member_keys(user, usable.get(user.pk, []), organization, asked.get(user.pk)) for user in users]


def usable_keys(users: list[User], *, now: datetime) -> dict[int, list[APIKey]]:
    """The keys that open the API now, by user, in order of their names."""
    found: dict[int, list[APIKey]] = {}
    keys = APIKey.objects.filter(user__in=users, revoked_at__isnull=True).select_related("user").order_by("name", "id")
    for api_key in keys:
        if api_key.expires_at is None or api_key.expires_at > now:
            found.setdefault(api_key.user_id, []).append(api_key)
    return found


def ask(*, organization: Organization, user: User, actor: Actor, now: datetime) -> None:
    """Notes that the person is asked, whom the caller then writes to. Raises AskedRecentlyError within a week.

    The database refuses a second request within seven days, whoever asks, and however many at once.
    """
    try:
        with transaction.atomic():
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
