"""Pages of user settings and organization settings."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import open_organization
from accounts.changes import routing_change
from accounts.forms import DefaultOrganizationForm, ProfileForm
from accounts.frame import SignedInRequest, organization_frame, user_frame
from accounts.models import Membership, User
from accounts.organizations import NotAMemberError, set_default_organization


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def profile(request: SignedInRequest) -> HttpResponse:
    """A person's name and default organization; POST changes the name."""
    if request.method != "POST":
        return _profile_page(request, ProfileForm(instance=request.user), DefaultOrganizationForm(user=request.user))
    # A copy: the page around a refused form still shows the name that is stored.
    form = ProfileForm(request.POST, instance=User.objects.get(pk=request.user.pk))
    if not form.is_valid():
        return _profile_page(request, form, DefaultOrganizationForm(user=request.user))
    User.objects.filter(pk=request.user.pk).update(name=form.cleaned_data["name"])
    messages.success(request, "Your name is saved.")
    return redirect("accounts:profile")


@require_POST
@login_required
def default_organization(request: SignedInRequest) -> HttpResponse:
    """From now on, usage of the person's keys that names no organization counts in the chosen one."""
    form = DefaultOrganizationForm(request.POST, user=request.user)
    if not form.is_valid():
        return _profile_page(request, ProfileForm(instance=request.user), form)
    organization = form.cleaned_data["organization"]
    try:
        with routing_change() as now:
            user = User.objects.get(pk=request.user.pk)
            changed = set_default_organization(user=user, organization=organization, now=now)
    except NotAMemberError as error:
        form.add_error("organization", str(error))
        return _profile_page(request, ProfileForm(instance=request.user), form)
    if changed:
        messages.success(request, f"Your default organization is {organization} since {now:%Y-%m-%d %H:%M:%S} UTC.")
    return redirect("accounts:profile")


@require_safe
@login_required
def organization(request: SignedInRequest, slug: str) -> HttpResponse:
    """General settings of an organization."""
    access = open_organization(request.user, slug)
    return render(
        request,
        "accounts/organization.html",
        {
            "frame": organization_frame(access, page="accounts:organization", switch_to="accounts:organization"),
            "organization": access.organization,
            "role": Membership.Role(access.role).label,
            "children": access.organizations[1:],
        },
    )


@require_safe
@login_required
def members(request: SignedInRequest, slug: str) -> HttpResponse:
    """Who is in the organization now; for owners and admins."""
    access = open_organization(request.user, slug)
    if not access.is_admin:
        raise PermissionDenied("Only owners and admins of the organization see its members.")
    current = Membership.objects.filter(organization=access.organization, left_at__isnull=True)
    return render(
        request,
        "accounts/members.html",
        {
            "frame": organization_frame(access, page="accounts:members", switch_to="accounts:organization"),
            "organization": access.organization,
            "memberships": current.select_related("user").order_by("user__name", "user__email"),
        },
    )


def _profile_page(request: HttpRequest, form: ProfileForm, default_form: DefaultOrganizationForm) -> HttpResponse:
    assert isinstance(request.user, User)
    return render(
        request,
        "accounts/profile.html",
        {
            "frame": user_frame(request.user, page="accounts:profile"),
            "form": form,
            "default_form": default_form,
        },
    )
