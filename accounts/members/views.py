"""Members of an organization and invitations to it, for owners and admins."""

from collections.abc import Callable
from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts import mail
from accounts.access import Access, find_seen, members_now, open_organization
from accounts.audit.audit import actor_of
from accounts.changes import change, routing_change
from accounts.clock import database_now
from accounts.installation.site import address_of
from accounts.members import invitations as inviting
from accounts.members.forms import InvitationForm, RoleChangeForm
from accounts.members.membership import latest_role_change, memberships_in
from accounts.members.membership import members as shown_members
from accounts.models import Invitation, User
from accounts.organizations.open_invitations import open_invitations
from accounts.organizations.organizations import (
    ChangeRefusedError,
    remove_member,
    require_may_invite,
    require_may_manage,
    set_role,
)
from accounts.pages.frame import SignedInRequest, organization_frame
from accounts.pages.lists import page_of, words_of
from accounts.pages.posting import back_to, post_only

PAGE = "accounts:members"


@require_safe
@login_required
def members(request: SignedInRequest, slug: str) -> HttpResponse:
    """Who is in the organization now, and who is invited."""
    access = _managed(request, slug)
    return _page(request, access, InvitationForm(access=access))


@post_only(PAGE, "slug")
@login_required
def role(request: SignedInRequest, slug: str, public_id: str) -> HttpResponse:
    """Another role for a member, with a question before they become an owner; the page then offers to undo it."""
    access = _managed(request, slug)
    user = _member(access, public_id)
    form = RoleChangeForm(request.POST, access=access)
    if not form.is_valid():
        raise PermissionDenied("Choose one of the roles you can assign.")
    if form.is_in_question:
        context = {"frame": _frame(access), "organization": access.organization, "member": user}
        return render(request, "accounts/new_owner.html", context)
    new_role, changed = form.cleaned_data["role"], False

    def set_it(_now: datetime) -> None:
        nonlocal changed
        require_may_manage(by=access.member, organization=access.organization, user=user, new_role=new_role)
        changed = set_role(organization=access.organization, user=user, role=new_role, actor=actor_of(request))

    answer = _changed(request, access, set_it, "")
    return back_to(request, PAGE, slug, changed=user.public_id) if changed else answer


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def removal(request: SignedInRequest, slug: str, public_id: str) -> HttpResponse:
    """The question before a member is removed; POST removes them."""
    access = _managed(request, slug)
    user = _member(access, public_id)
    if request.method != "POST":
        context = {"frame": _frame(access), "organization": access.organization, "member": user}
        return render(request, "accounts/removal.html", context)

    def remove(now: datetime) -> None:
        require_may_manage(by=access.member, organization=access.organization, user=user)
        remove_member(organization=access.organization, user=user, now=now, actor=actor_of(request))

    sentence = f"{user.display_name} was removed from {access.organization.name}."
    return _changed(request, access, remove, sentence, user)


@post_only(PAGE, "slug")
@login_required
def invitations(request: SignedInRequest, slug: str) -> HttpResponse:
    """Invites an email address."""
    access = _managed(request, slug)
    form = InvitationForm(request.POST, access=access)
    if not form.is_valid():
        return _page(request, access, form)
    try:
        with change(by=request.user) as now:
            token = inviting.invite(
                organization=access.organization,
                **form.cleaned_data,
                invited_by=request.user,
                is_staff=access.member is None,
                now=now,
                actor=actor_of(request),
            )
    except (ChangeRefusedError, inviting.InvitationRefusedError) as error:
        form.add_error("email", str(error))
        return _page(request, access, form)
    _send(request, token)
    return back_to(request, PAGE, slug)


@post_only(PAGE, "slug")
@login_required
def resending(request: SignedInRequest, slug: str, public_id: str) -> HttpResponse:
    """A new link by email; the one that was sent before is dead."""
    access = _managed(request, slug)
    tokens: list[str] = []

    def resend(now: datetime) -> None:
        invitation = _invitation(access, public_id)
        tokens.append(inviting.resend(invitation=invitation, now=now, actor=actor_of(request)))

    answer = _changed(request, access, resend, "")
    for token in tokens:
        _send(request, token)
    return answer


@post_only(PAGE, "slug")
@login_required
def revocation(request: SignedInRequest, slug: str, public_id: str) -> HttpResponse:
    """Takes an invitation back."""
    access = _managed(request, slug)

    def revoke(now: datetime) -> None:
        inviting.revoke(invitation=_invitation(access, public_id), now=now, actor=actor_of(request))

    return _changed(request, access, revoke, "Invitation cancelled. Its link no longer works.")


def _managed(request: SignedInRequest, slug: str) -> Access:
    access = open_organization(request, slug)
    if not access.is_admin:
        raise PermissionDenied("Only owners and admins can see the organization's members.")
    return access


def _member(access: Access, public_id: str) -> User:
    return find_seen(members_now(access), public_id=public_id)


def _invitation(access: Access, public_id: str) -> Invitation:
    invitation = find_seen(Invitation.objects.filter(organization=access.organization), public_id=public_id)
    require_may_invite(by=access.member, organization=access.organization, role=invitation.role)
    return invitation


def _changed(
    request: SignedInRequest, access: Access, action: Callable[[datetime], None], sentence: str, *routed: User
) -> HttpResponse:
    """Back to the page, with what happened, or why not. `routed` are the people whose usage it may lead elsewhere."""
    by = request.user
    try:
        with routing_change(*routed, by=by) if routed else change(by=by) as now:
            action(now)
    except (ChangeRefusedError, inviting.InvitationRefusedError) as error:
        messages.warning(request, str(error))
    else:
        if sentence:
            messages.success(request, sentence)
    return back_to(request, PAGE, access.organization.slug)


def _send(request: HttpRequest, token: str) -> None:
    invitation = inviting.find(token)
    assert invitation is not None
    context = {
        "inviter": invitation.invited_by.display_name,
        "organization": invitation.organization.name,
        "role": invitation.get_role_display().lower(),
        "email": invitation.email,
        "expires_at": invitation.expires_at,
        "address": address_of(reverse("accounts:invitation", args=[token])),
    }
    if mail.send("invitation", to=invitation.email, action="Open the invitation", context=context):
        messages.success(request, f"Invitation sent to {invitation.email}.")
    else:
        messages.warning(
            request,
            f"The invitation for {invitation.email} was created, but the email could not be sent. Send it again.",
        )


def _frame(access: Access) -> object:
    return organization_frame(access, page=PAGE, switch_to="accounts:organization")


def _page(request: SignedInRequest, access: Access, form: InvitationForm) -> HttpResponse:
    now = database_now()
    words = words_of(request.GET)
    page = page_of(memberships_in(access, words), request.GET)
    shown = shown_members(access, page.rows)
    invited = open_invitations(access.organization, words).select_related("invited_by").order_by("email")
    invited_page = page_of(invited, request.GET, name="invited")
    context = {
        "frame": _frame(access),
        "access": access,
        "organization": access.organization,
        "page": page,
        "search": words,
        "is_long": bool(words or page.place or invited_page.place),
        "members": shown,
        "has_default_elsewhere": any(member.is_default_elsewhere for member in shown),
        "role_change": latest_role_change(access, request.GET.get("changed", "")),
        "invited_page": invited_page,
        "invitations": [{"invitation": found, "is_expired": found.expires_at <= now} for found in invited_page.rows],
        "form": form,
    }
    return render(request, "accounts/members.html", context)
