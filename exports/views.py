"""Export of the open view as CSV, for owners."""

from collections.abc import Callable, Iterator

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_GET

from accounts.access import open_organization
from accounts.clock import database_now
from accounts.frame import SignedInRequest
from exports.activity import activity_csv
from exports.cost import cost_csv
from exports.forms import RefusedExportError, read_export_query
from metering.queries import UsageQuery


@require_GET
@login_required
def activity(request: SignedInRequest, slug: str) -> HttpResponseBase:
    """What was used, as CSV."""
    return _export(request, slug, "activity", activity_csv)


@require_GET
@login_required
def cost(request: SignedInRequest, slug: str) -> HttpResponseBase:
    """What it cost, as CSV."""
    return _export(request, slug, "cost", cost_csv)


def _export(
    request: SignedInRequest, slug: str, view: str, csv_of: Callable[[UsageQuery], Iterator[str]]
) -> HttpResponseBase:
    access = open_organization(request.user, slug)
    access.require_export()
    try:
        query = read_export_query(request.GET, access=access, today=database_now().date())
    except RefusedExportError as error:
        return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")
    name = f"{view}-{query.period.start}-{query.period.end}.csv"
    return StreamingHttpResponse(
        csv_of(query),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )
