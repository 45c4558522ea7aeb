"""The FOCUS files of a payer, for owners, and the form that asks for their range."""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import Access, open_organization
from accounts.audit.audit import actor_of
from accounts.clock import database_now
from accounts.pages.frame import SignedInRequest, organization_frame
from accounts.periods import month_of, previous_month
from exports.focus.datasets import COST_AND_USAGE, CSV_FORMAT, DATASETS, formats
from exports.focus.requests import file_of, read_wanted
from exports.forms import RefusedExportError
from metering.rollups.freshness import complete_through

PAGE: Final = "billing:billing"


@require_safe
@login_required
def focus_form(request: SignedInRequest, slug: str) -> HttpResponse:
    """Asks which file, of which days: those of the month that ended last at first."""
    return _form(request, _open(request, slug))


@require_safe
@login_required
def focus_file(request: SignedInRequest, slug: str) -> HttpResponseBase:
    """The file, streamed. A refusal is a page for people and a sentence for programs."""
    access = _open(request, slug)
    try:
        wanted = read_wanted(request.GET, database_now().date())
    except RefusedExportError as error:
        if "text/html" in request.headers.get("Accept", ""):
            return _form(request, access, refusal=str(error))
        return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")
    return file_of(request, wanted, access.organizations, actor=actor_of(request))


def _open(request: SignedInRequest, slug: str) -> Access:
    access = open_organization(request, slug)
    access.require_export()
    return access


def _form(request: SignedInRequest, access: Access, *, refusal: str = "") -> HttpResponse:
    """The form as a page; a refusal stands above it, with what was asked for."""
    last_month = previous_month(month_of(database_now().date()))
    context = {
        "frame": organization_frame(access, page=PAGE, switch_to=PAGE),
        "access": access,
        "datasets": DATASETS,
        "formats": formats(),
        "dataset": request.GET.get("dataset", COST_AND_USAGE.word),
        "format": request.GET.get("format", CSV_FORMAT),
        "first_day": request.GET.get("start") or f"{last_month.start}",
        "last_day": request.GET.get("last") or f"{last_month.end - timedelta(days=1)}",
        "max_days": settings.FOCUS_MAX_DAYS,
        "complete_through": complete_through(),
        "refusal": refusal,
    }
    return render(request, "exports/focus.html", context, status=400 if refusal else 200)
