"""The Users pages of staff: everybody with an account here, one of them, and what support does for them."""

from collections.abc import Callable
from typing import Final, Protocol
from urllib.parse import urlencode

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import find_seen
from accounts.audit.audit import Actor, actor_of
from accounts.changes import change
from accounts.entrance import log
from accounts.models import User
from accounts.pages.frame import SignedInRequest, user_frame
from accounts.pages.posting import post_only
from accounts.people import support
from accounts.people.listing import find, page_of, people
from accounts.people.support import SupportRefusedError
from accounts.staff.doors import staff_only

PAGE: Final = "accounts:users"
ONE: Final = "accounts:user"
SEES: Final = "accounts.view_user"
CHANGES: Final = "accounts.change_user"
MAX_WORDS: Final = 200
NO_EMAIL: Final = "The email could not be sent. Try again later."
# action → what it is called, and its button; question.html says what follows from it
QUESTIONS: Final = {
    "deactivation": ("Deactivate", "Deactivate"),
    "second-factor": ("End the second factor of", "End it"),
}


class Act(Protocol):
    """What is done for a person, in the transaction that has them locked. Raises SupportRefusedError."""

    def __call__(self, user: User, *, actor: Actor) -> object: ...


@require_safe
@staff_only(SEES)
def users(request: SignedInRequest) -> HttpResponse:
    """Everybody by email address; `?q=` finds some of them."""
    words = request.GET.get("q", "").replace("\0", "").strip()[:MAX_WORDS]
    after = request.GET.get("after", "").replace("\0", "")[:MAX_WORDS]
    page = page_of(find(words), after=after)
    kept = {"q": words} if words else {}
    context = {
        "frame": user_frame(request.user, page=PAGE),
        "search": words,
        "page": page,
        "first_address": f"?{urlencode(kept)}" if after else "",
        "next_address": f"?{urlencode({**kept, 'after': page.after})}" if page.after else "",
    }
    return render(request, "accounts/people/users.html", context)


@require_safe
@staff_only(SEES)
def user(request: SignedInRequest, public_id: str) -> HttpResponse:
    """One account: state, second factors, organizations, what happened at the entrance, and what can be done."""
    found = _found(public_id)
    (person,) = people([found])
    context = {
        "frame": user_frame(request.user, page=PAGE),
        "person": person,
        "num_sessions": len(UserSession.objects.filter(user=found)),
        "events": log.latest_of(found),
        "why_not": _why_not(request.user, found),
    }
    return render(request, "accounts/people/user.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only(CHANGES)
def deactivation(request: SignedInRequest, public_id: str) -> HttpResponse:
    """The question before an account is closed; POST closes it."""
    if request.method != "POST":
        return _question(request, public_id, "deactivation")
    person = _supported(request, public_id, support.deactivate, lock=support.locked_to_deactivate)
    if person is not None:
        messages.success(request, f"{person.email} is deactivated and signed out.")
    return redirect(ONE, public_id)


@post_only(ONE, "public_id")
@staff_only(CHANGES)
def reactivation(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Opens a closed account again."""
    person = _supported(request, public_id, support.reactivate)
    if person is not None:
        messages.success(request, f"{person.email} can sign in again.")
    return redirect(ONE, public_id)


@post_only(ONE, "public_id")
@staff_only(CHANGES)
def signing_out(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Ends every session of the person."""
    person = _supported(request, public_id, support.sign_out_everywhere)
    if person is not None:
        messages.success(request, f"{person.email} is signed out everywhere.")
    return redirect(ONE, public_id)


@post_only(ONE, "public_id")
@staff_only(CHANGES)
def password_reset(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Sends the person a link to choose a new password."""
    person = _supported(request, public_id, support.note_password_reset)
    if person is not None and support.send_password_reset(person, request):
        messages.success(request, f"A link to choose a new password is on its way to {person.email}.")
    elif person is not None:
        messages.warning(request, NO_EMAIL)
    return redirect(ONE, public_id)


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only(CHANGES)
def second_factor(request: SignedInRequest, public_id: str) -> HttpResponse:
    """The question before a person's second factors end; POST ends them."""
    if request.method != "POST":
        return _question(request, public_id, "second-factor")
    person = _supported(request, public_id, support.end_second_factors)
    if person is not None:
        messages.success(request, f"{person.email} has no second factor any more, and is signed out everywhere.")
        if not support.tell_of_second_factors(person):
            messages.warning(request, NO_EMAIL)
    return redirect(ONE, public_id)


def _found(public_id: str) -> User:
    return find_seen(User.objects.select_related("default_organization"), public_id=public_id)


def _why_not(by: User, found: User) -> str:
    """Why this member of staff can change nothing about the account; empty if they can."""
    if not by.has_perm(CHANGES):
        return "Your staff account may look at people, and change nothing about them."
    try:
        support.require_may_support(by=by, user=found)
    except SupportRefusedError as error:
        return str(error)
    return ""


def _question(request: SignedInRequest, public_id: str, action: str) -> HttpResponse:
    found = _found(public_id)
    title, button = QUESTIONS[action]
    context = {
        "frame": user_frame(request.user, page=PAGE),
        "found": found,
        "title": title,
        "button": button,
        "action": action,
        "why_not": _why_not(request.user, found),
    }
    return render(request, "accounts/people/question.html", context)


def _supported(
    request: SignedInRequest, public_id: str, act: Act, *, lock: Callable[[User], User] = support.locked
) -> User | None:
    """The person for whom it was done; None, with the reason as a message, if it was not."""
    found = _found(public_id)
    try:
        with change(by=request.user):
            person = lock(found)
            support.require_may_support(by=request.user, user=person)
            act(person, actor=actor_of(request))
    except SupportRefusedError as error:
        messages.warning(request, str(error))
        return None
    return person
