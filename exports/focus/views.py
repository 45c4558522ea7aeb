"""The FOCUS files of a payer, for owners, and the form that asks for their range."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.access import Access, open_organization
from accounts.audit import audit
from accounts.audit.audit import actor_of
from accounts.clock import database_now
from accounts.pages.frame import SignedInRequest, organization_frame
from accounts.periods import Period, month_of, previous_month
from exports.focus.cost import num_unpriced
from exports.focus.datasets import CONTENT_TYPES, COST_AND_USAGE, CSV_FORMAT, DATASETS, Dataset, formats, pieces
from exports.focus.scope import Scope
from exports.forms import RefusedExportError, read_period
from metering.pages.query_strings import shortened
from metering.rollups.freshness import complete_through

PAGE: Final = "billing:billing"


@dataclass(frozen=True)
class Wanted:
    """Which file is asked for."""

    dataset: Dataset
    format_word: str
    period: Period

    @property
    def name(self) -> str:
        return f"focus-{self.dataset.word}-{self.period.start}-{self.period.end}.{self.format_word}"


@require_GET
@login_required
def focus_form(request: SignedInRequest, slug: str) -> HttpResponse:
    """Asks which file, of which days: those of the month that ended last at first."""
    return _form(request, _open(request, slug))


@require_GET
@login_required
def focus_file(request: SignedInRequest, slug: str) -> HttpResponseBase:
    """The file, streamed. A refusal is a page for people and a sentence for programs."""
    access = _open(request, slug)
    moment = complete_through()
    try:
        wanted = _read(request.GET, database_now().date())
    except RefusedExportError as error:
        if "text/html" in request.headers.get("Accept", ""):
            return _form(request, access, refusal=str(error))
        return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")
    scope = Scope(access.organization, wanted.period, tuple(found.pk for found in access.organizations), moment)
    audit.record("usage.exported", actor=actor_of(request), organization=access.organization, target_name=wanted.name)
    return StreamingHttpResponse(
        pieces(wanted.dataset, scope, wanted.format_word),
        content_type=CONTENT_TYPES[wanted.format_word],
        headers={
            "Content-Disposition": f'attachment; filename="{wanted.name}"',
            "X-Complete-Through": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            **({"X-Unpriced-Items": f"{num_unpriced(scope)}"} if wanted.dataset == COST_AND_USAGE else {}),
        },
    )


def _open(request: SignedInRequest, slug: str) -> Access:
    access = open_organization(request.user, slug)
    access.require_export()
    return access


def _read(data: QueryDict, today: date) -> Wanted:
    word = data.get("dataset", COST_AND_USAGE.word)
    dataset = next((dataset for dataset in DATASETS if dataset.word == word), None)
    if dataset is None:
        known = ", ".join(dataset.word for dataset in DATASETS)
        raise RefusedExportError(f"“dataset” must be one of {known}, not “{shortened(word)}”.")
    format_word = data.get("format", CSV_FORMAT)
    if format_word not in formats():
        raise RefusedExportError(f"“format” must be one of {', '.join(formats())}, not “{shortened(format_word)}”.")
    return Wanted(dataset, format_word, read_period(data, today, max_days=settings.FOCUS_MAX_DAYS))


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
        "last_day": request.GET.get("last") or f"{date.fromordinal(last_month.end.toordinal() - 1)}",
        "max_days": settings.FOCUS_MAX_DAYS,
        "complete_through": complete_through(),
        "refusal": refusal,
    }
    return render(request, "exports/focus.html", context, status=400 if refusal else 200)
