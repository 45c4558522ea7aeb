"""Export of the open view as CSV or JSON, for owners, and the form that asks for its range."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import Access, open_organization
from accounts.audit.audit import actor_of
from accounts.clock import database_now
from accounts.pages.frame import SignedInRequest, organization_frame
from exports.activity import activity_rows
from exports.columns import CSV, JSON, Format
from exports.cost import cost_rows
from exports.files import file_response
from exports.forms import RefusedExportError, read_export_query
from metering.pages.filter_form import read_filter_form
from metering.pages.parts import ExportForm, bar_of, page_address
from metering.rollups.freshness import complete_through
from metering.usage.groupings import View
from metering.usage.queries import UsageQuery


@dataclass(frozen=True)
class Export:
    """What can be exported: the page whose view it is, and its rows."""

    view: View
    page: str
    rows: Callable[[UsageQuery, Format], Iterator[str]]


ACTIVITY: Final = Export(View.ACTIVITY, "metering:activity", activity_rows)
COST: Final = Export(View.COST, "billing:cost", cost_rows)


@require_safe
@login_required
def activity_form(request: SignedInRequest, slug: str) -> HttpResponse:
    """Asks for the range of an Activity export."""
    return _form(request, _open(request, slug), ACTIVITY)


@require_safe
@login_required
def cost_form(request: SignedInRequest, slug: str) -> HttpResponse:
    """Asks for the range of a Cost export."""
    return _form(request, _open(request, slug), COST)


@require_safe
@login_required
def activity_csv(request: SignedInRequest, slug: str) -> HttpResponseBase:
    """What was used, as CSV."""
    return _file(request, _open(request, slug), ACTIVITY, CSV)


@require_safe
@login_required
def activity_json(request: SignedInRequest, slug: str) -> HttpResponseBase:
    """What was used, as JSON."""
    return _file(request, _open(request, slug), ACTIVITY, JSON)


@require_safe
@login_required
def cost_csv(request: SignedInRequest, slug: str) -> HttpResponseBase:
    """What it cost, as CSV."""
    return _file(request, _open(request, slug), COST, CSV)


@require_safe
@login_required
def cost_json(request: SignedInRequest, slug: str) -> HttpResponseBase:
    """What it cost, as JSON."""
    return _file(request, _open(request, slug), COST, JSON)


def _open(request: SignedInRequest, slug: str) -> Access:
    access = open_organization(request, slug)
    access.require_export()
    return access


def _form(request: SignedInRequest, access: Access, export: Export, *, refusal: str = "") -> HttpResponse:
    """The form as a page of its own; a refusal stands above it, with the days that were asked for."""
    form = read_filter_form(request.GET, access=access, today=database_now().date(), view=export.view)
    address = page_address(export.page, access.organization, form)
    context = {
        "frame": organization_frame(access, page="metering:activity", switch_to=export.page, query=address.view_query),
        "access": access,
        "export": _with_days(bar_of(access, form, address, ()).export, request.GET),
        "complete_through": complete_through(),
        "refusal": refusal,
    }
    return render(request, "exports/export.html", context, status=400 if refusal else 200)


def _with_days(form: ExportForm | None, data: QueryDict) -> ExportForm | None:
    """With the days that were asked for, as they were typed."""
    if form is None:
        return None
    first_day, last_day = data.get("start", form.first_day), data.get("last", form.last_day)
    return replace(form, first_day=first_day, last_day=last_day)


def _file(request: SignedInRequest, access: Access, export: Export, form: Format) -> HttpResponseBase:
    """The file, streamed. A refusal is a page for people and a sentence for programs."""
    moment = complete_through()
    try:
        query = read_export_query(request.GET, access=access, today=database_now().date(), view=export.view)
    except RefusedExportError as error:
        if "text/html" in request.headers.get("Accept", ""):
            return _form(request, access, export, refusal=str(error))
        return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")
    name = f"{export.view}-{query.period.start}-{query.period.end}.{form.extension}"
    return file_response(
        request,
        partial(export.rows, query, form),
        name=name,
        content_type=form.content_type,
        complete_through=moment,
        organization=access.organization,
        actor=actor_of(request),
    )
