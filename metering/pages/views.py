"""The way to the Usage tab, and its Activity page."""

from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from accounts.access import organizations_of
from accounts.pages.frame import SignedInRequest
from accounts.pages.menu import menu
from metering.pages import show
from metering.pages.activity_report import activity_report
from metering.usage.groupings import View

ACTIVITY: Final = show.UsagePage(
    name="metering:activity",
    view=View.ACTIVITY,
    template="metering/activity.html",
    report_template="metering/activity_report.html",
    report=activity_report,
)


@require_safe
@login_required
def usage(request: SignedInRequest) -> HttpResponse:
    """Leads to the Usage tab of the default organization, or of the first one that there is."""
    organizations = organizations_of(request.user)
    default = organizations.filter(pk=request.user.default_organization_id or 0)
    chosen = default.first() or organizations.first()
    if chosen is None and request.user.is_staff:
        return redirect(menu().staff[0].name)
    if chosen is None:
        return render(request, "metering/no_organization.html", status=404)
    return redirect("metering:activity", chosen.slug)


@require_safe
@login_required
def activity(request: SignedInRequest, slug: str) -> HttpResponse:
    """What the organization used in a month, a day or an hour."""
    return show.show(request, slug, ACTIVITY)
