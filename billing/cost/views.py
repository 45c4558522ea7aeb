"""The Cost page."""

from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.pages.frame import SignedInRequest
from billing.cost.report import cost_report
from metering.pages import show
from metering.pages.page_version import IN_MONTHS, NAMES_VERSION, USAGE_VERSION, WRITTEN
from metering.usage.groupings import View

COST: Final = show.UsagePage(
    name="billing:cost",
    view=View.COST,
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
)


@require_safe
@login_required
def cost(request: SignedInRequest, slug: str) -> HttpResponse:
    """What the organization's usage of a month, a day or an hour costs."""
    return show.show(request, slug, COST)
