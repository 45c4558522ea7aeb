"""The Cost page."""

from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.pages.frame import SignedInRequest
from billing.cost.report import cost_report
from metering.pages import page_version, show
from metering.usage.groupings import View

COST: Final = show.UsagePage(
    name="billing:cost",
    view=View.COST,
    template="billing/cost.html",
    report=cost_report,
    versions=(
        page_version.USAGE_VERSION,
        page_version.NAMES_VERSION,
        page_version.WRITTEN.format(table="billing_dailycost", conditions=page_version.IN_MONTHS),
        page_version.WRITTEN.format(table="billing_creditgrant", conditions="organization_id = ANY(%(ids)s)"),
        page_version.WRITTEN.format(table="billing_budget", conditions="organization_id = ANY(%(ids)s)"),
        page_version.WRITTEN.format(table="billing_invoice", conditions="payer_id = ANY(%(ids)s)"),
    ),
)


@require_safe
@login_required
def cost(request: SignedInRequest, slug: str) -> HttpResponse:
    """What the organization's usage of a month, a day or an hour costs."""
    return show.show(request, slug, COST)
