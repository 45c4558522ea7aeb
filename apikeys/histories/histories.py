"""What routing may ask about keys: their dated histories, as far back as usage may still come in, and no further.

However long ago a history begins, and however often somebody switches back and forth, what is read and remembered of it is
bounded by the days of usage that is taken (`days_of_intake`) and the switches of a day (SWITCHES_PER_DAY, JOINS_PER_DAY).
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from accounts.models import DefaultOrganizationChange, Membership, User
from apikeys.declarations import DEFAULT_PROJECT
from apikeys.models import APIKey, KeyAttribution, TrackingChange
from apikeys.routing import KeyHistory

Attributed = dict[int, dict[int, list[tuple[datetime, int, dict[str, str]]]]]
"""By key and organization: what usage is for, in order of time."""
Memberships = dict[int, list[tuple[int, datetime, datetime | None]]]


def days_of_intake() -> int:
    """How many days back usage may come in, a first load of history included: as long as single events are surely kept."""
    return max(settings.USAGE_EVENT_RETENTION_DAYS, settings.USAGE_EVENT_MAX_AGE_DAYS + 1)


def of_keys(api_keys: Collection[APIKey]) -> list[KeyHistory]:
    """Their histories, with four queries. They answer for every moment at which usage may come in from now on."""
    user_ids, key_ids = {api_key.user_id for api_key in api_keys}, [api_key.pk for api_key in api_keys]
    defaults = _dated(
        DefaultOrganizationChange.objects.all(), User.objects.filter(pk__in=user_ids), "user", "organization"
    )
    tracking = _dated(TrackingChange.objects.all(), APIKey.objects.filter(pk__in=key_ids), "api_key", "tracked")
    memberships, attributions = _memberships(user_ids), _attributions(key_ids)
    return [
        KeyHistory(
            id=api_key.id,
            public_id=api_key.public_id,
            user_id=api_key.user_id,
            defaults=tuple(defaults.get(api_key.user_id, ())),
            tracking=tuple(tracking.get(api_key.id, ())) or ((api_key.created_at, api_key.tracked),),
            memberships=tuple(memberships.get(api_key.user_id, ())),
            ended_at=min((moment for moment in (api_key.revoked_at, api_key.expires_at) if moment), default=None),
            attributions=attributions.get(api_key.id, {}),
        )
        for api_key in api_keys
    ]


def _since() -> Combinable:
    """No event from before this moment asks, nor one that was routed before a switch and is sent again (`earlier_homes`)."""
    ahead = timedelta(seconds=settings.USAGE_EVENT_MAX_AHEAD_SECONDS)
    return Now() - (timedelta(days=days_of_intake()) + ahead)


def _dated(rows: QuerySet[Any], owners: QuerySet[Any], owner: str, value: str) -> dict[int, list[tuple[datetime, Any]]]:
    """(effective_at, value) by owner, in order of time: the first state, that of the moment `_since`, and those from then on."""
    of_one = rows.filter(**{owner: OuterRef("pk")}).values("pk")
    first = of_one.order_by("effective_at")[:1]
    before = of_one.filter(effective_at__lt=_since()).order_by("-effective_at")[:1]
    kept = [rows.filter(**{f"{owner}__in": owners.values("pk")}, effective_at__gte=_since())]
    kept += [rows.filter(pk__in=owners.values_list(Subquery(one))) for one in (first, before)]
    found: dict[int, list[tuple[datetime, Any]]] = {}
    for moment, owner_id, state in sorted(_together(kept, "effective_at", owner, value)):
        found.setdefault(owner_id, []).append((moment, state))
    return found


def _memberships(user_ids: Iterable[int]) -> Memberships:
    """By person: those that last, or have ended since, and the first one in each organization; in the order in which an
    organization would become the default one."""
    rows = Membership.objects.filter(user__in=user_ids)
    first = rows.order_by("user", "organization", "joined_at", "pk").distinct("user", "organization")
    kept = [
        rows.filter(Q(left_at__isnull=True) | Q(left_at__gte=_since())),
        Membership.objects.filter(pk__in=first.values("pk")),
    ]
    columns = ("organization__is_personal", "joined_at", "pk", "user", "organization", "left_at")
    found: Memberships = {}
    in_order = sorted(_together(kept, *columns), key=lambda row: (not row[0], *row[1:3]))
    for _, joined_at, _, user_id, organization_id, left_at in in_order:
        found.setdefault(user_id, []).append((organization_id, joined_at, left_at))
    return found


def _attributions(key_ids: Collection[int]) -> Attributed:
    """Of each key, in each organization that its user is or was in: what holds at the moment `_since`, and from then on."""
    rows = KeyAttribution.objects.all()
    pairs = Membership.objects.filter(user__api_keys__in=key_ids)
    of_pair = rows.filter(api_key=OuterRef("user__api_keys"), organization=OuterRef("organization"))
    before = of_pair.filter(effective_at__lt=_since()).order_by("-effective_at").values("pk")[:1]
    kept = [
        rows.filter(api_key__in=key_ids, effective_at__gte=_since()),
        rows.filter(pk__in=pairs.values_list(Subquery(before))),
    ]
    columns = ("api_key", "organization", "effective_at", "project", "project__is_default", "attributes")
    found: Attributed = {}
    for key_id, organization_id, moment, project_id, is_default, values in sorted(
        _together(kept, *columns), key=lambda row: row[:3]
    ):
        project = DEFAULT_PROJECT if project_id is None or is_default else project_id
        found.setdefault(key_id, {}).setdefault(organization_id, []).append((moment, project, values))
    return found


def _together(kept: list[QuerySet[Any]], *columns: str) -> list[tuple[Any, ...]]:
    """These columns of the rows that are in any of these, with one query."""
    first, *others = (rows.values_list(*columns) for rows in kept)
    return list(first.union(*others))
