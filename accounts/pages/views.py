"""Pages of user settings."""

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.changes import change
from accounts.entrance import log
from accounts.models import User
from accounts.pages.forms import DefaultOrganizationForm, ProfileForm
from accounts.pages.frame import SignedInRequest, user_frame


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def profile(request: SignedInRequest) -> HttpResponse:
    """A person's name and default organization; POST changes the name."""
    if request.method != "POST":
        return _profile_page(request, ProfileForm(instance=request.user))
    # A copy: the page around a refused form still shows the name that is stored.
    form = ProfileForm(request.POST, instance=User.objects.get(pk=request.user.pk))
    if not form.is_valid():
        return _profile_page(request, form)
    with change(by=request.user):
        User.objects.filter(pk=request.user.pk).update(name=form.cleaned_data["name"])
    messages.success(request, "Name saved.")
    return redirect("accounts:profile")


@require_safe
@login_required
def security(request: SignedInRequest) -> HttpResponse:
    """Where password, second factors and sessions are changed, and who came in with them."""
    user = request.user
    factors = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    context = {
        "frame": user_frame(user, page="accounts:security"),
        "has_password": user.has_usable_password(),
        "has_app": Authenticator.Type.TOTP in factors,
        "has_passkey": Authenticator.Type.WEBAUTHN in factors,
        "has_codes": Authenticator.Type.RECOVERY_CODES in factors,
        "single_sign_on": settings.OIDC_NAME if settings.OIDC_SERVER_URL else "",
        "events": log.latest_of(user),
    }
    return render(request, "accounts/security.html", context)


def _profile_page(request: SignedInRequest, form: ProfileForm) -> HttpResponse:
    return render(
        request,
        "accounts/profile.html",
        {
            "frame": user_frame(request.user, page="accounts:profile"),
            "form": form,
            "default_form": DefaultOrganizationForm(user=request.user),
        },
    )
