"""The question before staff opens an organization's pages, and the way out of them."""

from typing import Final

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.access import find_seen
from accounts.clock import database_now
from accounts.models import Organization
from accounts.pages.forms import require_printable
from accounts.pages.frame import SignedInRequest, user_frame
from accounts.pages.menu import menu
from accounts.pages.posting import post_only
from accounts.staff.doors import staff_only
from accounts.staff.opened import CHANGES, READS
from accounts.staff.opening import leave, open_as_staff

CUSTOMERS: Final = "billing:customers"


class OpeningForm(forms.Form):
    """Why, and for those with the right to it, whether to change things too."""

    reason = forms.CharField(
        max_length=200,
        required=False,
        label="Reason (optional)",
        help_text="A ticket's number, for example. The organization's owners read it in their audit log.",
    )
    may_change = forms.BooleanField(required=False, label="Change things too, as its owners may")

    def __init__(self, *args: object, may_change: bool) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        if not may_change:
            del self.fields["may_change"]

    def clean_reason(self) -> str:
        return require_printable(self.cleaned_data["reason"])


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only(READS)
def opening(request: SignedInRequest, slug: str) -> HttpResponse:
    """What opening means; POST opens, and leads to the organization's usage."""
    organization = find_seen(Organization.objects.all(), slug=slug)
    form = OpeningForm(*([request.POST] if request.method == "POST" else []), may_change=request.user.has_perm(CHANGES))
    if form.is_bound and form.is_valid():
        with transaction.atomic():
            open_as_staff(
                request,
                organization,
                now=database_now(),
                may_change=form.cleaned_data.get("may_change", False),
                reason=form.cleaned_data["reason"],
            )
        return redirect(menu().usage, slug)
    context = {"frame": user_frame(request.user, page=CUSTOMERS), "organization": organization, "form": form}
    return render(request, "accounts/staff/opening.html", context, status=422 if form.errors else 200)


@post_only(CUSTOMERS)
@staff_only(READS)
def leaving(request: SignedInRequest) -> HttpResponse:
    """The session opens no organization any more."""
    with transaction.atomic():
        organization = leave(request)
    if organization is not None:
        messages.success(request, f"You left {organization.name}.")
    return redirect(CUSTOMERS)
