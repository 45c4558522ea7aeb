"""The Cost page."""

from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.pages.frame import SignedInRequest
from billing.spend import cost_report
from metering import pages
from metering.page_state import IN_MONTHS, NAMES_VERSION, USAGE_VERSION, WRITTEN
from metering.queries import Group

COST: Final = pages.UsagePage(
    name="billing:cost",
    template="billing/cost.html",
    report=cost_report,
    versions=(
        USAGE_VERSION,
        NAMES_VERSION,
        WRITTEN.format(table="billing_dailycost", conditions=IN_MONTHS),
        WRITTEN.format(table="billing_creditgrant", conditions="organization_id = ANY(%(ids)s)"),
        WRITTEN.format(table="billing_budget", conditions="organization_id = ANY(%(ids)s)"),
        WRITTEN.format(table="billing_invoice", conditions="payer_id = ANY(%(ids)s)"),
    ),
    more_groups=(Group.LINE_ITEM,),
)


@require_safe
@login_required
def cost(request: SignedInRequest, slug: str) -> HttpResponse:
    """What the organization's usage of a month, a day or an hour costs."""
    return pages.show(request, slug, COST)
