"""Keys as owners and admins of an organization see them: which are visible, and why usage is where it is."""

from dataclasses import dataclass
from datetime import date

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts import mail
from accounts.access import Access, find_seen, judge_again, members_now, open_organization, seen_until
from accounts.audit.audit import actor_of
from accounts.changes import change
from accounts.clock import database_now
from accounts.installation.site import address_of
from accounts.models import User
from accounts.pages.frame import SignedInRequest, organization_frame
from accounts.pages.lists import page_of
from accounts.pages.posting import back_to, post_only
from accounts.pages.words import counted
from accounts.periods import month_of, one_day, parse_day
from apikeys.attribution.attribution import SHOWN
from apikeys.coverage.coverage import (
    AskedRecentlyError,
    MemberKeys,
    Visibility,
    ask,
    coverage_of,
    num_keys_of,
    people_in,
    usable_keys,
    visibility_of,
)
from apikeys.coverage.key_history import history_of
from apikeys.keys.listing import keys_seen_by
from metering.display import exact, share
from metering.pages.addresses import Address
from metering.pages.filter_form import read_filters
from metering.pages.parts import Chip
from metering.pages.query_strings import Reader, shortened
from metering.usage.declared import Declared
from metering.usage.routed import MAX_ROWS, RoutedUsage, UsersMonth, months_of_users, routed_usage

PAGE = "metering:coverage"


@dataclass(frozen=True)
class CoverageRow:
    """One member's keys, and their requests here this month."""

    member: MemberKeys
    requests: str
    untracked: str
    share: str


@require_safe
@login_required
def coverage(request: SignedInRequest, slug: str) -> HttpResponse:
    """Which members' keys are visible here, which are not and why, and how much of this month's usage is untracked."""
    access = _managed(request, slug)
    now = database_now()
    month = month_of(now.date())
    page = page_of(people_in(access.organization), request.GET)
    members = coverage_of(access.organization, page.rows, now=now)
    num_visible, num_hidden = num_keys_of(access.organization, now=now)
    used = months_of_users(access.organization.id, month)
    context = {
        "frame": _frame(access),
        "organization": access.organization,
        "may_ask": access.may_change,
        "month": month.start,
        "rows": [_row(member, used.get(member.user.pk, UsersMonth(0, 0))) for member in members],
        "page": page,
        "num_visible": num_visible,
        "num_hidden": num_hidden,
        "num_callers": len(used),
        "requests": counted(sum(one.requests for one in used.values()), "request"),
        "share": share(sum(one.untracked for one in used.values()), sum(one.requests for one in used.values())),
    }
    return render(request, "metering/coverage.html", context)


@post_only(PAGE, "slug")
@login_required
def coverage_request(request: SignedInRequest, slug: str, public_id: str) -> HttpResponse:
    """Asks a member by email to make their keys visible here; nobody is asked twice within a week."""
    access = _managed(request, slug)
    user = find_seen(members_now(access), public_id=public_id)
    hidden = _hidden_keys(user, access)
    if not hidden:
        messages.success(request, f"All active keys of {user.display_name} are already shown here by name.")
        return back_to(request, PAGE, slug)
    try:
        with change(by=request.user) as now:
            judge_again(access)
            ask(organization=access.organization, user=user, actor=actor_of(request), now=now)
    except AskedRecentlyError as error:
        messages.warning(request, str(error))
        return back_to(request, PAGE, slug)
    context = {
        "asker": access.user.display_name,
        "organization": access.organization.name,
        "keys": hidden,
        "address": address_of(reverse("apikeys:keys")),
    }
    if mail.send("tracking_request", to=user.email, action="Open your API keys", context=context):
        messages.success(request, f"Email sent to {user.display_name}.")
    else:
        messages.warning(request, f"The email to {user.email} could not be sent. Try again later.")
    return back_to(request, PAGE, slug)


@require_safe
@login_required
def key_routing(request: SignedInRequest, slug: str, public_id: str) -> HttpResponse:
    """Why usage of one key is where it is: for the person whose key it is, and for owners and admins of the organization.

    Of a person who has left, they see no key that was made and no state that began after that.
    """
    access = open_organization(request, slug)
    api_key = find_seen(keys_seen_by(access).select_related("user"), public_id=public_id)
    is_own = api_key.user_id == request.user.pk
    until = None if is_own else seen_until(api_key.user, access.organization)
    reader = Reader(request.GET)
    day = _day(reader) or database_now().date()
    context = {
        "frame": _frame(access),
        "organization": access.organization,
        "api_key": api_key,
        "may_change": access.may_change,
        "is_own": is_own,
        "is_visible": visibility_of(api_key, access.organization) == Visibility.VISIBLE,
        "visibility": visibility_of(api_key, access.organization),
        "history": history_of(api_key, access.organization, names_others=is_own, until=until),
        "most_changes": SHOWN,
        "day": day,
        "kept_days": settings.USAGE_EVENT_RETENTION_DAYS,
        "ignored": reader.ignored,
        **_routed(routed_usage(access, one_day(day), reader_id=request.user.pk, api_key_ids=(api_key.pk,))),
    }
    return render(request, "metering/key_routing.html", context)


@require_safe
@login_required
def usage_routing(request: SignedInRequest, slug: str) -> HttpResponse:
    """Why a day's usage is where it is, for all that the reader may see, or some users or keys of it."""
    access = open_organization(request, slug)
    reader = Reader(request.GET)
    day = _day(reader) or database_now().date()
    filters, owned = read_filters(reader, access, Declared(), names=("user", "api_key"))
    user_ids = owned.users if access.sees_all_usage else (request.user.pk,)
    shown = Address(request.path, (("day", f"{day}"), *((item.name, item.value) for item in filters)))
    context = {
        "frame": organization_frame(access, page="metering:activity"),
        "organization": access.organization,
        "day": day,
        "kept_days": settings.USAGE_EVENT_RETENTION_DAYS,
        "filters": filters,
        "chips": [Chip(item.kind, item.label, str(shown.dropping(item.name, item.value))) for item in filters],
        "clear_address": str(shown.without("user", "api_key")),
        "ignored": reader.ignored,
        "has_children": len(access.organizations) > 1,
        **_routed(
            routed_usage(access, one_day(day), reader_id=request.user.pk, user_ids=user_ids, api_key_ids=owned.api_keys)
        ),
    }
    return render(request, "metering/usage_routing.html", context)


def _managed(request: SignedInRequest, slug: str) -> Access:
    access = open_organization(request, slug)
    if not access.is_admin:
        raise PermissionDenied("Only owners and admins can see which keys are shown in the organization.")
    return access


def _frame(access: Access) -> object:
    return organization_frame(access, page=PAGE, switch_to="accounts:organization")


def _row(member: MemberKeys, used: UsersMonth) -> CoverageRow:
    return CoverageRow(member, exact(used.requests), exact(used.untracked), share(used.untracked, used.requests))


def _hidden_keys(user: User, access: Access) -> list[dict[str, str]]:
    """The person's keys that do not show here, with the reason, for the email to themselves."""
    keys = usable_keys([user], now=database_now()).get(user.pk, [])
    reasons = [(key, visibility_of(key, access.organization)) for key in keys]
    return [
        {"name": key.name, "redacted": key.redacted, "reason": reason.value}
        for key, reason in reasons
        if reason != Visibility.VISIBLE
    ]


def _routed(rows: list[RoutedUsage]) -> dict[str, object]:
    """What the table of routed usage needs: it has a column for what usage was for only where some says so."""
    return {"rows": rows, "most": MAX_ROWS, "says_what_for": any(row.what_for for row in rows)}


def _day(reader: Reader) -> date | None:
    """The day that is asked for; None, and a sentence, for what is none."""
    text = reader.single("day")
    day = parse_day(text)
    if text and day is None:
        reader.ignore(f"“{shortened(text)}” is not a day like 2026-11-14; showing today.")
    return day
