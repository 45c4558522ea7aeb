"""Attributes of an organization: everybody in it sees them, owners and admins declare, rename and withdraw them."""

import json

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts import limits
from accounts.access import Access, find_seen, judge_again, open_organization
from accounts.audit.audit import actor_of
from accounts.changes import organization_change
from accounts.limits import LimitReachedError
from accounts.models import Attribute
from accounts.pages.frame import SignedInRequest, organization_frame
from accounts.projects.attributes import (
    MOST_DECLARED,
    AttributeRefusedError,
    declare,
    declared_of,
    retitle,
    withdraw,
)
from accounts.projects.forms import AttributeTitleForm, NewAttributeForm
from metering.attributes.undeclared import undeclared_of

PAGE = "metering:attributes"
EXAMPLE_VALUES = ("search", "checkout", "globex", "eu", "beta")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def attributes(request: SignedInRequest, slug: str) -> HttpResponse:
    """The declared attributes, and names that came without being declared; POST declares one."""
    access = open_organization(request, slug)
    form = NewAttributeForm(request.POST if request.method == "POST" else None)
    refusal = None
    if request.method == "POST":
        _require_admin(access)
    if form.is_bound and form.is_valid():
        try:
            with organization_change(access.organization, by=request.user) as now:
                judge_again(access)
                declared = declare(
                    organization=access.organization, **form.cleaned_data, now=now, actor=actor_of(request)
                )
        except LimitReachedError as error:
            form.add_error("name", str(error))
            refusal = error
        except AttributeRefusedError as error:
            form.add_error(error.field, str(error))
        else:
            messages.success(request, f"“{declared.title}” declared. It is stored for events that arrive from now on.")
            return redirect(PAGE, slug)
    return limits.answer(_page(request, access, form), refusal)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def title(request: SignedInRequest, slug: str, name: str) -> HttpResponse:
    """Another title, in past usage too."""
    access, attribute = _declared(request, slug, name)
    form = AttributeTitleForm(request.POST if request.method == "POST" else None, initial={"title": attribute.title})
    if form.is_bound and form.is_valid():
        try:
            with organization_change(access.organization, by=request.user):
                judge_again(access)
                retitle(attribute=attribute, title=form.cleaned_data["title"], actor=actor_of(request))
        except AttributeRefusedError as error:
            form.add_error("title", str(error))
        else:
            messages.success(request, f"Renamed to “{attribute.title}”, including in past usage.")
            return redirect(PAGE, slug)
    context = {
        "frame": _frame(access),
        "organization": access.organization,
        "attribute": attribute,
        "form": form,
    }
    return render(request, "metering/attribute_title.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def withdrawal(request: SignedInRequest, slug: str, name: str) -> HttpResponse:
    """The question before an attribute is withdrawn; POST withdraws it."""
    access, attribute = _declared(request, slug, name)
    if request.method != "POST":
        context = {"frame": _frame(access), "organization": access.organization, "attribute": attribute}
        return render(request, "metering/attribute_withdrawal.html", context)
    with organization_change(access.organization, by=request.user) as now:
        judge_again(access)
        withdraw(attribute=attribute, now=now, actor=actor_of(request))
    messages.success(request, f"“{attribute.title}” withdrawn. It can be declared again at any time.")
    return redirect(PAGE, slug)


def _declared(request: SignedInRequest, slug: str, name: str) -> tuple[Access, Attribute]:
    """The declared attribute of this name, for owners and admins."""
    access = open_organization(request, slug)
    _require_admin(access)
    rows = Attribute.objects.filter(organization=access.organization, withdrawn_at__isnull=True)
    return access, find_seen(rows.select_related("organization"), name=name)


def _require_admin(access: Access) -> None:
    if not access.is_admin:
        raise PermissionDenied("Only owners and admins can change the organization's attributes.")


def _frame(access: Access) -> object:
    return organization_frame(access, page=PAGE, switch_to=PAGE)


def _page(request: SignedInRequest, access: Access, form: NewAttributeForm) -> HttpResponse:
    declared = declared_of(access.organization)
    context = {
        "frame": _frame(access),
        "access": access,
        "organization": access.organization,
        "declared": declared,
        "most": MOST_DECLARED,
        "has_room": access.may_change and len(declared) < MOST_DECLARED,
        "withdrawn": Attribute.objects.filter(organization=access.organization, withdrawn_at__isnull=False).order_by(
            "name"
        ),
        "undeclared": undeclared_of(access.organization) if access.is_admin else [],
        "example": _example([attribute.name for attribute in declared]),
        "form": form,
    }
    return render(request, "metering/attributes.html", context)


def _example(names: list[str]) -> str:
    """The part of an event that says what it is for, with the organization's own names."""
    values = dict(zip(names or ["team"], EXAMPLE_VALUES, strict=False))
    return f'"attributes": {json.dumps(values, indent=2)}'
