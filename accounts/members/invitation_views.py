"""What the link in an invitation opens: for a person with an account, or for one who makes it now."""

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import memberships_of
from accounts.audit.audit import actor_of
from accounts.changes import routing_change
from accounts.clock import database_now
from accounts.members.forms import JoiningForm
from accounts.members.invitations import (
    ExpiredError,
    InvitationRefusedError,
    RevokedError,
    UsedError,
    WrongAddressError,
    accept,
    find,
    require_acceptable,
)
from accounts.models import Invitation, User
from accounts.pages.frame import SignedInRequest
from accounts.pages.menu import menu
from accounts.pages.posting import post_only

GONE = (UsedError, RevokedError, ExpiredError)


@require_safe
@never_cache
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Who invites to what, and the way in; or why there is none."""
    found = _find(token)
    user = request.user if isinstance(request.user, User) else None
    try:
        require_acceptable(found, user=user, now=database_now())
    except InvitationRefusedError as error:
        return _refusal(request, found, error)
    return _page(request, found, token, None if user is None else JoiningForm(joins=found.organization, user=user))


@post_only("accounts:invitation", "token")
@login_required
def acceptance(request: SignedInRequest, token: str) -> HttpResponse:
    """The signed-in person joins, and says where usage of their keys counts from then on."""
    user = User.objects.select_related("default_organization").get(pk=request.user.pk)
    found = _find(token)
    form = JoiningForm(request.POST, joins=found.organization, user=user)
    if not form.is_valid():
        return _page(request, found, token, form)
    try:
        with routing_change(user, by=user) as now:
            found = _find(token)
            accept(invitation=found, user=user, now=now, actor=actor_of(request), makes_default=form.makes_default)
    except InvitationRefusedError as error:
        return _refusal(request, _find(token), error)
    messages.success(request, f"You joined {found.organization.name}. {_counts(user)}")
    return redirect(menu().usage, found.organization.slug)


@post_only("accounts:invitation", "token")
def registration(request: HttpRequest, token: str) -> HttpResponse:
    """On to signing up. Whoever has the link reads the mailbox, so its address counts as verified."""
    found = _find(token)
    try:
        require_acceptable(found, user=None, now=database_now())
    except InvitationRefusedError as error:
        return _refusal(request, found, error)
    get_adapter().stash_verified_email(request, found.email)
    return redirect(f"{reverse('account_signup')}?{_next(token)}&{urlencode({'email': found.email})}")


def _find(token: str) -> Invitation:
    found = find(token)
    if found is None:
        raise Http404("This link leads to no invitation. It may have been sent again with a newer link.")
    return found


def _page(request: HttpRequest, found: Invitation, token: str, form: JoiningForm | None) -> HttpResponse:
    """The way in: `form` for who is signed in, signing in or up for others."""
    context = {"invitation": found, "token": token, "form": form, "next": f"?{_next(token)}"}
    return render(request, "accounts/invitation.html", context)


def _counts(user: User) -> str:
    default = user.default_organization
    return f"Usage of your API keys counts in {default.name}." if default is not None else ""


def _next(token: str) -> str:
    return urlencode({"next": reverse("accounts:invitation", args=[token])})


def _refusal(request: HttpRequest, found: Invitation, error: InvitationRefusedError) -> HttpResponse:
    """Why the link does not work. A person who is in the organization is led there."""
    user = request.user
    is_member = (
        not isinstance(user, AnonymousUser) and memberships_of(user).filter(organization=found.organization_id).exists()
    )
    has_come_otherwise = is_member and isinstance(error, RevokedError)
    context = {
        "reason": f"You are in {found.organization} already." if has_come_otherwise else str(error),
        "is_wrong_address": isinstance(error, WrongAddressError),
        "organization": found.organization if is_member else None,
    }
    status = 410 if isinstance(error, GONE) else 403 if isinstance(error, WrongAddressError) else 409
    return render(request, "accounts/invitation_refused.html", context, status=status)
