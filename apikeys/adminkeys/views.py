"""Organization settings, Admin keys: for owners alone."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts import limits
from accounts.access import Access, find_seen, open_organization
from accounts.audit.audit import actor_of
from accounts.changes import change
from accounts.clock import database_now
from accounts.installation import shown_once
from accounts.limits import LimitReachedError
from accounts.pages.frame import SignedInRequest, organization_frame
from apikeys.adminkeys.adminkeys import create_admin_key, revoke_admin_key, spend_new_admin_key
from apikeys.adminkeys.forms import NewAdminKeyForm
from apikeys.models import AdminKey

PAGE = "apikeys:admin_keys"
SHOWN = "apikeys:admin_key_secret"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def admin_keys(request: SignedInRequest, slug: str) -> HttpResponse:
    """The organization's admin keys; POST makes another one and leads to the page that shows its secret."""
    access = _owned(request, slug)
    form = NewAdminKeyForm(request.POST if request.method == "POST" else None)
    if not form.is_bound or not form.is_valid():
        return _list_page(request, access, form)
    try:
        admin_key, new = _make(request, access, form)
    except LimitReachedError as error:
        form.add_error("name", str(error))
        return limits.answer(_list_page(request, access, form), error)
    shown_once.keep(request, admin_key.public_id, new)
    return redirect(SHOWN, slug, admin_key.public_id)


@require_safe
@never_cache
@login_required
def secret(request: SignedInRequest, slug: str, public_id: str) -> HttpResponse:
    """The secret of a new key, the one time that it is shown; afterwards, that it was."""
    access = _owned(request, slug)
    admin_key = _usable(access, public_id)
    shown = shown_once.take(request, admin_key.public_id) if request.method == "GET" else None
    context = {**_context(access), "admin_key": admin_key, "secret": shown}
    return render(request, "apikeys/adminkeys/secret.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def revocation(request: SignedInRequest, slug: str, public_id: str) -> HttpResponse:
    """The question before a key is revoked; POST revokes it."""
    access = _owned(request, slug)
    admin_key = _usable(access, public_id)
    if request.method != "POST":
        return render(request, "apikeys/adminkeys/revocation.html", {**_context(access), "admin_key": admin_key})
    with change(by=request.user) as now:
        revoke_admin_key(admin_key=admin_key, now=now, actor=actor_of(request))
    messages.success(request, f"“{admin_key.name}” was revoked at {now:%H:%M:%S} UTC.")
    return redirect(PAGE, slug)


def _owned(request: SignedInRequest, slug: str) -> Access:
    access = open_organization(request.user, slug)
    if not access.is_owner:
        raise PermissionDenied("Only owners can see and make the organization's admin keys.")
    return access


def _usable(access: Access, public_id: str) -> AdminKey:
    rows = AdminKey.objects.filter(organization=access.organization, revoked_at__isnull=True)
    return find_seen(rows, public_id=public_id)


def _make(request: SignedInRequest, access: Access, form: NewAdminKeyForm) -> tuple[AdminKey, str]:
    """A new key and its secret. Raises LimitReachedError."""
    with change(by=request.user) as now:
        spend_new_admin_key(organization=access.organization, user=request.user, now=now)
        return create_admin_key(
            organization=access.organization,
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            now=now,
            expires_at=form.expires_at(now),
            actor=actor_of(request),
        )


def _context(access: Access) -> dict[str, object]:
    frame = organization_frame(access, page=PAGE, switch_to="accounts:organization")
    return {"frame": frame, "organization": access.organization}


def _list_page(request: SignedInRequest, access: Access, form: NewAdminKeyForm) -> HttpResponse:
    found = AdminKey.objects.filter(organization=access.organization).select_related("created_by")
    now, listed = database_now(), list(found.order_by("-created_at", "-id"))
    context = {
        **_context(access),
        "form": form,
        "usable": [(key, key.expires_at is not None and key.expires_at <= now) for key in listed if not key.revoked_at],
        "revoked": [key for key in listed if key.revoked_at],
        "has_children": len(access.organizations) > 1,
    }
    return render(request, "apikeys/adminkeys/admin_keys.html", context)
