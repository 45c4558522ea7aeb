"""Opening an organization's pages as staff, and leaving them: on record, where its owners read it too."""

from datetime import datetime, timedelta

from django.conf import settings
from django.http import HttpRequest

from accounts.audit import audit
from accounts.audit.audit import actor_of
from accounts.models import Organization
from accounts.staff.opened import KEPT, Opening

OPENED = "organization.opened_by_staff"
LEFT = "organization.left_by_staff"


def open_as_staff(
    request: HttpRequest, organization: Organization, *, now: datetime, may_change: bool, reason: str
) -> Opening:
    """For STAFF_OPENING_MINUTES this session opens the organization's pages, instead of what it had opened before."""
    leave(request)
    opening = Opening(organization.pk, now + timedelta(minutes=settings.STAFF_OPENING_MINUTES), may_change)
    _record(
        OPENED,
        request,
        organization,
        until=f"{opening.until:%Y-%m-%d %H:%M} UTC",
        may_change=may_change,
        reason=reason or None,
    )
    request.session[KEPT] = {
        "organization": organization.pk,
        "until": opening.until.timestamp(),
        "may_change": may_change,
    }
    return opening


def leave(request: HttpRequest) -> Organization | None:
    """The session has nothing opened any more. Returns what it had."""
    kept = request.session.pop(KEPT, None)
    organization = Organization.objects.filter(pk=kept["organization"]).first() if kept else None
    if organization is not None:
        _record(LEFT, request, organization)
    return organization


def _record(event: str, request: HttpRequest, organization: Organization, **details: object) -> None:
    audit.record(
        event,
        actor=actor_of(request),
        organization=organization,
        target_id=organization.public_id,
        target_name=organization.name,
        details=details,
    )
