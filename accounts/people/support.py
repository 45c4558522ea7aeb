"""What staff does for a person, or against one who must not come in: each on record, each for people that staff may touch.

Called inside `accounts.changes.change`, or `routing_change` for what opens or closes an account.
"""

from typing import Final

from allauth.account.forms import default_token_generator
from allauth.account.internal.flows.password_reset import request_password_reset
from allauth.mfa.models import Authenticator
from django.http import HttpRequest
from django.urls import reverse

from accounts import mail
from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.entrance.log import METHODS, record, tell_organizations
from accounts.entrance.sessions import end_sessions
from accounts.installation.site import address_of
from accounts.models import User
from accounts.organizations.open_invitations import end_those_sent_by, lock_organizations_of
from accounts.staff.superusers import LastSuperuserError, require_another

BY_STAFF: Final = "by staff"
GIVEN_UP: Final = "@unconfirmed.invalid"


class SupportRefusedError(Exception):
    """Why not, in a sentence."""


def require_may_support(*, by: User, user: User) -> None:
    """Raises SupportRefusedError for oneself, and for staff unless a superuser asks."""
    if by.pk == user.pk:
        raise SupportRefusedError("This is your own account. What you may change is under Security.")
    if (user.is_staff or user.is_superuser) and not by.is_superuser:
        raise SupportRefusedError("Only superusers can change accounts of staff.")


def locked(user: User) -> User:
    """The person as they are; until the end of the transaction nobody else changes them."""
    return User.objects.select_for_update(no_key=True).get(pk=user.pk)


def locked_to_deactivate(user: User) -> User:
    """The same, and the organizations in which that ends something. They come first, as in every change of their members."""
    lock_organizations_of(user)
    return locked(user)


def deactivate(user: User, *, actor: Actor) -> None:
    """The person is signed out everywhere and cannot sign in, and invitations that they sent let nobody in; all else stays.

    They are `locked_to_deactivate`. Raises SupportRefusedError for the last superuser.
    """
    end_those_sent_by(user, actor=actor)
    try:
        require_another(user)
    except LastSuperuserError as error:
        raise SupportRefusedError(str(error)) from error
    end_sessions(user, method=BY_STAFF)
    _set_active(user, actor, is_active=False)


def reactivate(user: User, *, actor: Actor) -> None:
    """The person can sign in again. Raises SupportRefusedError for an account whose address somebody else has confirmed."""
    if user.email.endswith(GIVEN_UP):
        raise SupportRefusedError("Somebody else has confirmed the email address of this account. It stays closed.")
    _set_active(user, actor, is_active=True)


def sign_out_everywhere(user: User, *, actor: Actor) -> int:
    """Ends all sessions of the person; returns how many there were."""
    number = end_sessions(user, method=BY_STAFF)
    _record("user.signed_out", user, actor, sessions=number)
    return number


def end_second_factors(user: User, *, actor: Actor) -> None:
    """All second factors and recovery codes end, and with them all sessions: the password alone lets the person in.

    The organizations that they are in read it in their audit logs. Raises SupportRefusedError if there is none.
    """
    kinds = ", ".join(sorted({METHODS[each.type] for each in Authenticator.objects.filter(user=user)}))
    if not kinds:
        raise SupportRefusedError("This account has no second factor.")
    Authenticator.objects.filter(user=user).delete()
    end_sessions(user, method=BY_STAFF)
    record("second_factor.removed", user=user, request=None, method=BY_STAFF)
    _record("user.second_factor.removed", user, actor, kind=kinds)
    tell_organizations("user.second_factor.removed", user=user, details={"kind": kinds}, by=actor)


def note_password_reset(user: User, *, actor: Actor) -> None:
    """On record, before the email goes. Raises SupportRefusedError for a closed account."""
    if not user.is_active:
        raise SupportRefusedError("This account is deactivated. Reactivate it first.")
    _record("user.password_reset_sent", user, actor)


def send_password_reset(user: User, request: HttpRequest) -> bool:
    """An email with a link to choose a new password, as the person would ask for it; nobody else sees the link. False if no
    server took it."""
    try:
        request_password_reset(request, user.email, [user], default_token_generator)
    except OSError:  # of the server, and what it refuses
        return False
    return True


def tell_of_second_factors(user: User) -> bool:
    """An email to the person whose second factors staff ended. False if no server took it."""
    address = address_of(reverse("accounts:security"))
    return mail.send("second_factors_ended", to=user.email, action="Open Security", context={"address": address})


def _set_active(user: User, actor: Actor, *, is_active: bool) -> None:
    if user.is_active == is_active:
        return
    user.is_active = is_active
    user.save(update_fields=["is_active"])
    _record("user.reactivated" if is_active else "user.deactivated", user, actor)


def _record(event: str, user: User, actor: Actor, **details: object) -> None:
    audit.record(event, actor=actor, target_id=user.public_id, target_name=user.email, details=details)
