"""Organization settings, Admin keys: for owners alone."""

from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.utils.html import format_html
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts import limits
from accounts.access import Access, find_seen, judge_again, open_organization
from accounts.audit.audit import actor_of
from accounts.changes import change
from accounts.limits import LimitReachedError
from accounts.pages.frame import SignedInRequest, organization_frame
from apikeys.adminkeys.adminkeys import create_admin_key, revoke_admin_key, spend_new_admin_key
from apikeys.adminkeys.forms import NewAdminKeyForm
from apikeys.adminkeys.pages import SecretPages, Words
from apikeys.models import AdminKey

PAGE: Final = "apikeys:admin_keys"
PAGES: Final = SecretPages(
    Words("an", "admin key", "key", "May read"),
    template="apikeys/admin_keys.html",
    list=PAGE,
    secret="apikeys:admin_key_secret",  # noqa: S106 - the name of an address
    revocation="apikeys:admin_key_revocation",
)


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
    return PAGES.made(request, admin_key, new, slug)


@require_safe
@never_cache
@login_required
def secret(request: SignedInRequest, slug: str, public_id: str) -> HttpResponse:
    """The secret of a new key, the one time that it is shown; afterwards, that it was."""
    access = _owned(request, slug)
    row = _usable(access, public_id)
    opens = format_html("It reads {} of <bdi>{}</bdi>.", ", ".join(row.scopes), access.organization.name)
    return PAGES.secret_page(request, _context(access), slug, row=row, opens=opens)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def revocation(request: SignedInRequest, slug: str, public_id: str) -> HttpResponse:
    """The question before a key is revoked; POST revokes it."""
    access = _owned(request, slug)
    admin_key = _usable(access, public_id)
    if request.method != "POST":
        return PAGES.question(request, _context(access), slug, row=admin_key)
    with change(by=request.user) as now:
        judge_again(access)
        revoke_admin_key(admin_key=admin_key, now=now, actor=actor_of(request))
    return PAGES.revoked(request, admin_key, now, slug)


def _owned(request: SignedInRequest, slug: str) -> Access:
    access = open_organization(request, slug)
    if not access.is_owner:
        raise PermissionDenied("Only owners can see and make the organization's admin keys.")
    return access


def _usable(access: Access, public_id: str) -> AdminKey:
    rows = AdminKey.objects.filter(organization=access.organization, revoked_at__isnull=True)
    return find_seen(rows, public_id=public_id)


def _make(request: SignedInRequest, access: Access, form: NewAdminKeyForm) -> tuple[AdminKey, str]:
    """A new key and its secret. Raises LimitReachedError."""
    with change(by=request.user) as now:
        judge_again(access)
        spend_new_admin_key(organization=access.organization, user=request.user, now=now)
        return create_admin_key(
            organization=access.organization,
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            now=now,
            expires_at=form.expires_at(now),
            actor=actor_of(request),
        )


def _context(access: Access) -> dict[str, Any]:
    frame = organization_frame(access, page=PAGE, switch_to="accounts:organization")
    return {"frame": frame, "organization": access.organization}


def _list_page(request: SignedInRequest, access: Access, form: NewAdminKeyForm) -> HttpResponse:
    rows = AdminKey.objects.filter(organization=access.organization).select_related("created_by")
    context = _context(access) | {"has_children": len(access.organizations) > 1}
    return PAGES.list_page(
        request,
        context,
        access.organization.slug,
        rows=rows.order_by("-created_at", "-id"),
        form=form,
        may_make=access.may_change,
        may_revoke=access.may_change,
    )
