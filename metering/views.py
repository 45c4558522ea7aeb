"""The Activity page."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from accounts.access import open_organization, organizations_of
from accounts.clock import database_now
from accounts.frame import SignedInRequest, organization_frame
from metering.activity import activity_report
from metering.first_event import first_event_command
from metering.forms import read_filter_form
from metering.freshness import complete_through
from metering.report import bar_of, groups_of, page_address


@require_safe
@login_required
def usage(request: SignedInRequest) -> HttpResponse:
    """Leads to the Usage tab of the default organization, or of the first one that there is."""
    organizations = organizations_of(request.user)
    if not organizations:
        return render(request, "metering/no_organization.html", status=404)
    chosen = next(
        (found for found in organizations if found.id == request.user.default_organization_id), organizations[0]
    )
    return redirect("metering:activity", chosen.slug)


@require_safe
@login_required
def activity(request: SignedInRequest, slug: str) -> HttpResponse:
    """What the organization used in a month, by day."""
    access = open_organization(request.user, slug)
    now = database_now()
    groups = groups_of(access)
    form = read_filter_form(request.GET, access=access, today=now.date(), groups=groups)
    address = page_address("metering:activity", access.organization, form)
    context = {
        "frame": organization_frame(access, page="metering:activity", query=address.view_query),
        "access": access,
        "form": form,
        "bar": bar_of(access, form, address, groups),
        "report": activity_report(access, form, address, today=now.date()),
        "first_event": first_event_command(request, now),
        "complete_through": complete_through(),
    }
    return render(request, "metering/activity.html", context)
