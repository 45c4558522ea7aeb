"""The Cost page."""

from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.pages.frame import SignedInRequest
from billing.alerts import Budget
from billing.cost.credit_version import CREDIT_VERSION
from billing.cost.report import cost_report
from billing.models import CreditGrant, DailyCost, Invoice
from metering.pages import show
from metering.usage.groupings import View

COST: Final = show.UsagePage(
    name="billing:cost",
    view=View.COST,
    template="billing/cost.html",
    report_template="billing/cost_report.html",
    report=cost_report,
    also_shown=(
        (DailyCost, "organization_id"),
        (CreditGrant, "organization_id"),
        (Budget, "organization_id"),
        (Invoice, "payer_id"),
        CREDIT_VERSION,
    ),
)


@require_safe
@login_required
def cost(request: SignedInRequest, slug: str) -> HttpResponse:
    """What the organization's usage of a month, a day or an hour costs."""
    return show.show(request, slug, COST)
