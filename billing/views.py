"""The Cost page."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import open_organization
from accounts.clock import database_now
from accounts.frame import SignedInRequest, organization_frame
from billing.spend import cost_report
from metering.first_event import first_event_command
from metering.forms import read_filter_form
from metering.freshness import complete_through
from metering.queries import Group
from metering.report import bar_of, groups_of, page_address


@require_safe
@login_required
def cost(request: SignedInRequest, slug: str) -> HttpResponse:
    """What the organization's usage of a month costs, by day and by part."""
    access = open_organization(request.user, slug)
    now = database_now()
    groups = groups_of(access, Group.LINE_ITEM)
    form = read_filter_form(request.GET, access=access, today=now.date(), groups=groups)
    address = page_address("billing:cost", access.organization, form)
    context = {
        "frame": organization_frame(
            access, page="metering:activity", switch_to="billing:cost", query=address.view_query
        ),
        "access": access,
        "form": form,
        "bar": bar_of(access, form, address, groups),
        "report": cost_report(access, form, address, now=now),
        "first_event": first_event_command(request, now),
        "complete_through": complete_through(),
    }
    return render(request, "billing/cost.html", context)
