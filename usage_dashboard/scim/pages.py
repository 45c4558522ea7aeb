"""Organization settings, Provisioning: tokens for the identity provider, and the roles of its groups. For owners alone."""

from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts import limits
from accounts.access import Access, find_seen, judge_again, open_organization
from accounts.audit.audit import actor_of
from accounts.changes import change
from accounts.installation.site import address_of
from accounts.limits import LimitReachedError
from accounts.models import Membership
from accounts.pages.frame import SignedInRequest, organization_frame
from accounts.pages.lists import page_of
from accounts.pages.posting import back_to, post_only
from apikeys.adminkeys.pages import SecretPages, Words
from apikeys.keys.forms import NewKeyForm
from apikeys.models import ScimToken
from apikeys.scimtokens.scimtokens import create_scim_token, revoke_scim_token
from usage_dashboard.models import MailDomain
from usage_dashboard.scim import groups
from usage_dashboard.scim.forms import GroupRoleForm
from usage_dashboard.scim.providers import ScimRefusedError

PAGE: Final = "scim:list"
PAGES: Final = SecretPages(
    Words("a", "SCIM token", "token"),
    template="provisioning.html",
    list=PAGE,
    secret="scim:secret",  # noqa: S106 - the name of an address
    revocation="scim:revocation",
)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def provisioning(request: SignedInRequest, slug: str) -> HttpResponse:
    """The organization's SCIM tokens and groups; POST makes another token and leads to the page that shows its secret."""
    access = _owned(request, slug)
    form = NewKeyForm(request.POST if request.method == "POST" else None)
    if not form.is_bound or not form.is_valid():
        return _list_page(request, access, form)
    try:
        with change(by=request.user) as now:
            judge_again(access)
            token, new = create_scim_token(
                organization=access.organization,
                name=form.cleaned_data["name"][:120],
                now=now,
                expires_at=form.expires_at(now),
                actor=actor_of(request),
            )
    except LimitReachedError as error:
        form.add_error("name", str(error))
        return limits.answer(_list_page(request, access, form), error)
    return PAGES.made(request, token, new, slug)


@require_safe
@never_cache
@login_required
def secret(request: SignedInRequest, slug: str, public_id: str) -> HttpResponse:
    """The secret of a new token, the one time that it is shown; afterwards, that it was."""
    access = _owned(request, slug)
    opens = format_html("With it a program says who is in <bdi>{}</bdi>.", access.organization.name)
    return PAGES.secret_page(request, _context(access), slug, row=_usable(access, public_id), opens=opens)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def revocation(request: SignedInRequest, slug: str, public_id: str) -> HttpResponse:
    """The question before a token is revoked; POST revokes it."""
    access = _owned(request, slug)
    token = _usable(access, public_id)
    if request.method != "POST":
        return PAGES.question(request, _context(access), slug, row=token)
    with change(by=request.user) as now:
        judge_again(access)
        revoke_scim_token(token=token, now=now, actor=actor_of(request))
    return PAGES.revoked(request, token, now, slug)


@post_only(PAGE, "slug")
@login_required
def group_role(request: SignedInRequest, slug: str, public_id: str) -> HttpResponse:
    """The role that the people of a group have from now on; before it makes them owners, the question whether it shall."""
    access = _owned(request, slug)
    group = find_seen(groups.groups_of(access.organization).select_related("organization"), public_id=public_id)
    form = GroupRoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "There is no such role.")
        return back_to(request, PAGE, slug)
    if form.is_in_question and group.role != Membership.Role.OWNER:
        size = groups.sizes_of([group]).get(group.pk, 0)
        return render(request, "new_owners.html", _context(access) | {"group": group, "num_people": size})
    try:
        with change(by=request.user):
            judge_again(access)
            groups.give_role(group, form.cleaned_data["role"], actor=actor_of(request))
    except ScimRefusedError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"The role of “{group.name}” is saved.")
    return back_to(request, PAGE, slug)


def _owned(request: SignedInRequest, slug: str) -> Access:
    access = open_organization(request, slug)
    if not access.is_owner:
        raise PermissionDenied("Only owners can see and change how people are provisioned.")
    if access.organization.is_personal:
        raise Http404("Nobody is provisioned into a personal organization.")
    return access


def _usable(access: Access, public_id: str) -> ScimToken:
    rows = ScimToken.objects.filter(organization=access.organization, revoked_at__isnull=True)
    return find_seen(rows, public_id=public_id)


def _context(access: Access) -> dict[str, Any]:
    frame = organization_frame(access, page=PAGE, switch_to="accounts:organization")
    return {"frame": frame, "organization": access.organization}


def _list_page(request: SignedInRequest, access: Access, form: NewKeyForm) -> HttpResponse:
    organization = access.organization
    group_page = page_of(groups.groups_of(organization).order_by("name", "id"), request.GET, name="groups")
    sizes = groups.sizes_of(group_page.rows)
    context = _context(access) | {
        "scim_address": address_of("/scim/v2"),
        "domains": MailDomain.objects.filter(organization=organization).order_by("name"),
        "group_page": group_page,
        "groups": [(group, sizes.get(group.pk, 0)) for group in group_page.rows],
        "roles": [("", "No role"), *Membership.Role.choices],
        "may_change": access.owns,
    }
    rows = ScimToken.objects.filter(organization=organization).select_related("created_by")
    return PAGES.list_page(
        request,
        context,
        organization.slug,
        rows=rows.order_by("-created_at", "-id"),
        form=form,
        may_make=access.owns,
        may_revoke=access.owns,
    )
