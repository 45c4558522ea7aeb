"""Organizations: the list of one's own, a new one, and general settings."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts import limits
from accounts.access import Access, judge_again, memberships_of, open_organization
from accounts.audit.audit import actor_of
from accounts.changes import change, routing_change
from accounts.limits import LimitReachedError
from accounts.models import Membership, Organization, User
from accounts.organizations.forms import OrganizationNameForm, UsageVisibilityForm
from accounts.organizations.organizations import (
    ChangeRefusedError,
    create_organization,
    remove_member,
    rename_organization,
    set_usage_visibility,
)
from accounts.pages.frame import SignedInRequest, organization_frame, user_frame
from accounts.pages.lists import page_of, words_of
from accounts.pages.posting import back_to, post_only

PAGE = "accounts:organization"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def organizations(request: SignedInRequest) -> HttpResponse:
    """The organizations that the person is in; POST makes another one, which they own."""
    form = OrganizationNameForm(request.POST if request.method == "POST" else None)
    refusal = None
    if form.is_bound and form.is_valid():
        try:
            made = _make(request, form.cleaned_data["name"])
        except LimitReachedError as error:
            form.add_error("name", str(error))
            refusal = error
        else:
            messages.success(request, f"“{made.name}” created. You're its owner.")
            return redirect(PAGE, made.slug)
    words = words_of(request.GET)
    found = memberships_of(request.user).filter(organization__name__icontains=words)
    page = page_of(found, request.GET)
    context = {
        "frame": user_frame(request.user, page="accounts:organizations"),
        "page": page,
        "search": words,
        "is_long": bool(words or page.place),
        "form": form,
    }
    return limits.answer(render(request, "accounts/organizations.html", context), refusal)


@require_safe
@login_required
def general(request: SignedInRequest, slug: str) -> HttpResponse:
    """General settings of an organization."""
    return _page(request, open_organization(request, slug))


@post_only(PAGE, "slug")
@login_required
def name(request: SignedInRequest, slug: str) -> HttpResponse:
    """Another name; for owners."""
    access = _owned(request, slug)
    form = OrganizationNameForm(request.POST)
    if not form.is_valid():
        return _page(request, access, name_form=form)
    with change(by=request.user):
        judge_again(access)
        rename_organization(organization=access.organization, name=form.cleaned_data["name"], actor=actor_of(request))
    messages.success(request, f"Renamed to “{access.organization.name}”.")
    return redirect(PAGE, slug)


@post_only(PAGE, "slug")
@login_required
def usage_visibility(request: SignedInRequest, slug: str) -> HttpResponse:
    """Who sees the usage; for owners."""
    access = _owned(request, slug)
    form = UsageVisibilityForm(request.POST)
    if not form.is_valid():
        return _page(request, access, visibility_form=form)
    with change(by=request.user):
        judge_again(access)
        set_usage_visibility(organization=access.organization, **form.cleaned_data, actor=actor_of(request))
    messages.success(request, "Usage visibility saved.")
    return redirect(PAGE, slug)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def departure(request: SignedInRequest, slug: str) -> HttpResponse:
    """The question before a person leaves; POST leaves."""
    access = open_organization(request, slug)
    refusal = ""
    if request.method == "POST":
        try:
            with routing_change(request.user, by=request.user) as now:
                user = User.objects.get(pk=request.user.pk)
                remove_member(organization=access.organization, user=user, now=now, actor=actor_of(request))
        except ChangeRefusedError as error:
            refusal = str(error)
        else:
            messages.success(request, f"You left {access.organization.name}.")
            return back_to(request, "accounts:organizations")
    context = {
        "frame": organization_frame(access, page=PAGE, switch_to=PAGE),
        "organization": access.organization,
        "is_default": request.user.default_organization_id == access.organization.id,
        "refusal": refusal,
    }
    return render(request, "accounts/departure.html", context, status=409 if refusal else 200)


def _make(request: SignedInRequest, name: str) -> Organization:
    """Raises LimitReachedError."""
    with routing_change(request.user, by=request.user) as now:
        limits.spend(request.user, limits.ORGANIZATIONS)
        return create_organization(name=name, owner=request.user, now=now, actor=actor_of(request))


def _owned(request: SignedInRequest, slug: str) -> Access:
    access = open_organization(request, slug)
    if not access.is_owner:
        raise PermissionDenied("Only owners can change the organization's settings.")
    return access


def _page(
    request: SignedInRequest,
    access: Access,
    *,
    name_form: Form | None = None,
    visibility_form: Form | None = None,
) -> HttpResponse:
    organization = access.organization
    context = {
        "frame": organization_frame(access, page=PAGE, switch_to=PAGE),
        "access": access,
        "organization": organization,
        "role": Membership.Role(access.role).label if access.opening is None else "Staff",
        "children": access.organizations[1:],
        "name_form": name_form or OrganizationNameForm(initial={"name": organization.name}),
        "visibility_form": visibility_form
        or UsageVisibilityForm(initial={"usage_visibility": organization.usage_visibility}),
    }
    return render(request, "accounts/organization.html", context)
