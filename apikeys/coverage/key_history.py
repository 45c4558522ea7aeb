"""The dated history of one key as far as it concerns one organization: what routing read, and reads."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.db.models import Model, QuerySet

from accounts.models import DefaultOrganizationChange, Membership, Organization
from apikeys.attribution import attribution
from apikeys.attribution.attribution import SHOWN
from apikeys.models import APIKey, TrackingChange

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Change:
    """From `moment` on; the first state of a kind also holds for all times before, and has no moment."""

    moment: datetime | None
    sentence: str


def history_of(
    api_key: APIKey, organization: Organization, *, names_others: bool, until: datetime | None = None
) -> list[Change]:
    """Newest first, without what began after `until`; of each kind the first state and the latest SHOWN changes. Other
    organizations are named to the key's own user alone.
    """
    changes = [*_tracking(api_key, until), *_defaults(api_key, organization, until, names_others=names_others)]
    changes += _memberships(api_key, organization)
    changes += _attributions(api_key, organization, until)
    for moment, sentence in ((api_key.expires_at, "The key expires."), (api_key.revoked_at, "The key was revoked.")):
        if moment is not None:
            changes.append((moment, sentence))
    first = [Change(None, sentence) for moment, sentence in changes if moment is None]
    dated = sorted(((moment, sentence) for moment, sentence in changes if moment is not None), reverse=True)
    return [Change(*change) for change in dated if until is None or change[0] <= until] + first


def _tracking(api_key: APIKey, until: datetime | None) -> list[tuple[datetime | None, str]]:
    switches = _shown(TrackingChange.objects.filter(api_key=api_key), until)
    words = {True: "Tracking is on.", False: "Tracking is off."}
    return [(switch.effective_at if number else None, words[switch.tracked]) for number, switch in enumerate(switches)]


def _defaults(
    api_key: APIKey, organization: Organization, until: datetime | None, *, names_others: bool
) -> list[tuple[datetime | None, str]]:
    rows = DefaultOrganizationChange.objects.filter(user=api_key.user).select_related("organization")
    return [
        (
            change.effective_at if number else None,
            f"{change.organization.name} is the default organization."
            if change.organization == organization or names_others
            else "Another organization is the default.",
        )
        for number, change in enumerate(_shown(rows, until))
    ]


def _shown(rows: "QuerySet[Row]", until: datetime | None) -> list[Row]:
    """The first of them, which holds from the beginning, and the latest of the others; in order of time."""
    first = rows.order_by("effective_at").first()
    if first is None:
        return []
    later = rows.exclude(pk=first.pk).order_by("-effective_at")
    if until is not None:
        later = later.filter(effective_at__lte=until)
    return [first, *reversed(later[:SHOWN])]


def _memberships(api_key: APIKey, organization: Organization) -> list[tuple[datetime | None, str]]:
    changes: list[tuple[datetime | None, str]] = []
    rows = Membership.objects.filter(user=api_key.user, organization=organization)
    for membership in rows.order_by("-joined_at")[:SHOWN]:
        changes.append((membership.joined_at, f"Joined {organization.name}."))
        if membership.left_at is not None:
            changes.append((membership.left_at, f"Left {organization.name}."))
    return changes


def _attributions(
    api_key: APIKey, organization: Organization, until: datetime | None
) -> list[tuple[datetime | None, str]]:
    """What was chosen for the key; what holds from the beginning is said only if something was."""
    chosen = attribution.history_of(api_key, organization, until=until)
    if len(chosen) == 1:
        return []
    return [
        (one.since, " ".join([f"Project: {one.project}.", *(f"{title}: {value}." for title, value in one.values)]))
        for one in chosen
    ]
