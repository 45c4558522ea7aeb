"""Pages instead of what was asked for: not allowed, not found, and a form that the browser's session has overtaken.

Whoever is signed in keeps the frame, so that the way back is where it always is.
"""

from fnmatch import fnmatchcase
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.access import Access, find_access
from accounts.models import Membership, User
from accounts.pages.frame import organization_frame, user_frame

FORMS_OWN: Final = "csrfmiddlewaretoken"
NEVER_KEPT: Final = ("password", "code", "secret")  # fields with these in their names are not sent back
SAME: Final = "same-origin"
NUM_OWNERS: Final = 3
OVERTAKEN: Final = "You signed in or out meanwhile, so nothing was changed. Try again."


def not_allowed(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403, with the reason and, in an organization, who can change a role."""
    access = _access(request)
    owners = _owners(access) if access is not None and not access.is_owner else []
    return _page(request, access, "403.html", 403, {"reason": _reason(exception), "owners": owners})


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404, with the reason where the one who refused gave one."""
    return _page(request, _access(request), "404.html", 404, {"reason": _reason(exception)})


def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 - what Django hands over
    """403 for a form without a valid token. If it came from one of our own pages, it can be sent again as it was.

    A form of somebody else's page is never offered: the button would be theirs.
    """
    is_own = _is_from_our_pages(request)
    if is_own and "HX-Request" in request.headers:  # a part of a page; the browser opens the whole page instead
        messages.warning(request, OVERTAKEN)
        return HttpResponse(status=403)
    fields = [(name, value) for name, values in request.POST.lists() for value in values if name != FORMS_OWN]
    is_kept = is_own and not any(word in name for name, _ in fields for word in NEVER_KEPT)
    context = {
        "is_own": is_own,
        "is_kept": is_kept,
        "fields": fields if is_kept else [],
        "address": request.get_full_path(),
        # The browser says that page and server are one, the server knows itself by another name.
        "unknown_origin": request.headers.get("Origin") if request.headers.get("Sec-Fetch-Site") == SAME else None,
    }
    return _page(request, _access(request), "accounts/stale_form.html", 403, context)


def _is_from_our_pages(request: HttpRequest) -> bool:
    """As the browser says itself; what says nothing is not believed."""
    origin = request.headers.get("Origin", "")
    known = [f"{request.scheme}://{request.get_host()}", *settings.CSRF_TRUSTED_ORIGINS]
    is_known = any(fnmatchcase(origin, pattern) for pattern in known)
    return is_known and request.headers.get("Sec-Fetch-Site", SAME) == SAME


def _access(request: HttpRequest) -> Access | None:
    """The access to the organization that the address names, if it names one and the person is in it."""
    user = getattr(request, "user", None)
    slug = request.resolver_match.kwargs.get("slug") if request.resolver_match else None
    if not isinstance(user, User) or not isinstance(slug, str):
        return None
    try:
        return find_access(request, slug)
    except Http404:
        return None


def _owners(access: Access) -> list[str]:
    owners = User.objects.filter(
        memberships__organization=access.organization,
        memberships__role=Membership.Role.OWNER,
        memberships__left_at__isnull=True,
    )
    return [owner.display_name for owner in owners.order_by("name", "email")[:NUM_OWNERS]]


def _reason(exception: Exception) -> str:
    """The sentence of whoever refused. An address that nothing fits has none, but a list for programmers."""
    said = exception.args[0] if exception.args else ""
    return said if isinstance(said, str) else ""


def _page(
    request: HttpRequest, access: Access | None, template: str, status: int, context: dict[str, Any]
) -> HttpResponse:
    user = getattr(request, "user", None)
    framed: dict[str, Any] = {"layout": "plain.html"}
    if access is not None:
        framed = {"layout": "base.html", "frame": organization_frame(access, page="")}
    elif isinstance(user, User):
        framed = {"layout": "base.html", "frame": user_frame(user, page="")}
    return render(request, template, {**context, **framed}, status=status)
