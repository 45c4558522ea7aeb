"""Export of the open view as CSV or JSON, for owners, and the form that asks for its range."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.access import Access, open_organization
from accounts.audit import audit
from accounts.audit.audit import actor_of
from accounts.clock import database_now
from accounts.pages.frame import SignedInRequest, organization_frame
from exports.activity import activity_rows
from exports.columns import CSV, JSON, Format
from exports.cost import cost_rows
from exports.forms import RefusedExportError, read_export_query
from metering.pages.filter_form import read_filter_form
from metering.pages.parts import bar_of, page_address
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


@require_GET
@login_required
def activity_form(request: SignedInRequest, slug: str) -> HttpResponse:
    """Asks for the range of an Activity export."""
    return _form(request, _open(request, slug), ACTIVITY)


@require_GET
@login_required
def cost_form(request: SignedInRequest, slug: str) -> HttpResponse:
    """Asks for the range of a Cost export."""
    return _form(request, _open(request, slug), COST)


@require_GET
@login_required
def activity_csv(request: SignedInRequest, slug: str) -> HttpResponseBase:
    """What was used, as CSV."""
    return _file(request, _open(request, slug), ACTIVITY, CSV)


@require_GET
@login_required
def activity_json(request: SignedInRequest, slug: str) -> HttpResponseBase:
    """What was used, as JSON."""
    return _file(request, _open(request, slug), ACTIVITY, JSON)


@require_GET
@login_required
def cost_csv(request: SignedInRequest, slug: str) -> HttpResponseBase:
    """What it cost, as CSV."""
    return _file(request, _open(request, slug), COST, CSV)


@require_GET
@login_required
def cost_json(request: SignedInRequest, slug: str) -> HttpResponseBase:
    """What it cost, as JSON."""
    return _file(request, _open(request, slug), COST, JSON)


def _open(request: SignedInRequest, slug: str) -> Access:
    access = open_organization(request, slug)
    access.require_export()
    return access


def _form(request: SignedInRequest, access: Access, export: Export, *, refusal: str = "") -> HttpResponse:
    """The form as a page of its own; a refusal stands above it."""
    form = read_filter_form(request.GET, access=access, today=database_now().date(), view=export.view)
    address = page_address(export.page, access.organization, form)
    context = {
        "frame": organization_frame(access, page="metering:activity", switch_to=export.page, query=address.view_query),
        "access": access,
        "bar": bar_of(access, form, address, ()),
        "complete_through": complete_through(),
        "refusal": refusal,
    }
    return render(request, "exports/export.html", context, status=400 if refusal else 200)


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
    if request.method == "GET":
        audit.record("usage.exported", actor=actor_of(request), organization=access.organization, target_name=name)
    return StreamingHttpResponse(
        export.rows(query, form),
        content_type=form.content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Complete-Through": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        },
    )
