"""The audit log, for owners."""

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import Access, open_organization
from accounts.audit.log import AuditFilterForm, csv_of, page_of
from accounts.pages.frame import SignedInRequest, organization_frame

PAGE = "accounts:audit"


@require_safe
@login_required
def audit_log(request: SignedInRequest, slug: str) -> HttpResponse:
    """Who did what in the organization, newest first."""
    access = _owned(request, slug)
    form = AuditFilterForm(request.GET, access=access)
    events = form.events()
    page = page_of(events, before=form.cleaned_data.get("before"))
    query = request.GET.copy()
    query.pop("before", None)
    older = query.copy()
    older["before"] = str(page.older)
    context = {
        "frame": organization_frame(access, page=PAGE, switch_to="accounts:organization"),
        "organization": access.organization,
        "may_export": access.can_export,
        "form": form,
        "fields": [form[name] for name in ("event", "text", "since", "until")],
        "page": page,
        "query": query.urlencode(),
        "older_query": older.urlencode() if page.older else "",
        "is_first": "before" not in request.GET,
    }
    return render(request, "accounts/audit.html", context)


@require_safe
@login_required
def export(request: SignedInRequest, slug: str) -> HttpResponseBase:
    """The filtered entries as CSV."""
    access = _owned(request, slug)
    form = AuditFilterForm(request.GET, access=access)
    return StreamingHttpResponse(
        csv_of(form.events()),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="audit-{access.organization.slug}.csv"'},
    )


def _owned(request: SignedInRequest, slug: str) -> Access:
    access = open_organization(request, slug)
    if not access.is_owner:
        raise PermissionDenied("Only owners can read the organization's audit log.")
    return access
