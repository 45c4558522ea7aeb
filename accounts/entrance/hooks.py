"""Where django-allauth says what happened: its signals, which are its own way to tell. Each becomes an entry of the log."""

from typing import Any, Final

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from allauth.usersessions.models import UserSession
from django.contrib.auth.signals import user_logged_out
from django.http import HttpRequest

from accounts.entrance.log import METHODS, record, tell_organizations, ways_in
from accounts.models import User

PASSWORD: Final = (account.password_changed, account.password_set, account.password_reset)


def connect() -> None:
    """Called once, when the programs start."""
    account.user_logged_in.connect(signed_in)
    user_logged_out.connect(signed_out)
    for signal in PASSWORD:
        signal.connect(password_changed)
    account.email_added.connect(email_added)
    account.email_removed.connect(email_removed)
    account.email_confirmed.connect(email_confirmed)
    account.email_changed.connect(email_changed)
    mfa.authenticator_added.connect(factor_added)
    mfa.authenticator_removed.connect(factor_removed)
    mfa.authenticator_reset.connect(codes_renewed)
    mfa.authentication_failed.connect(factor_refused)


def signed_in(*, request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record("sign_in", user=user, request=request, method=ways_in(request))


def signed_out(*, request: HttpRequest, user: User | None, **_kwargs: Any) -> None:
    if user is not None:
        record("session.ended", user=user, request=request)


def password_changed(*, request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record("password.changed", user=user, request=request)


def email_added(*, request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record("email.added", user=user, request=request)


def email_removed(*, request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record("email.removed", user=user, request=request)


def email_confirmed(*, request: HttpRequest, email_address: Any, **_kwargs: Any) -> None:
    record("email.confirmed", user=email_address.user, request=request)


def email_changed(
    *, request: HttpRequest, user: User, from_email_address: Any, to_email_address: Any, **_kwargs: Any
) -> None:
    record("email.changed", user=user, request=request)
    before = from_email_address.email if from_email_address else None
    tell_organizations("user.email.changed", user=user, details={"email": to_email_address.email, "before": before})


def factor_added(*, request: HttpRequest, user: User, authenticator: Authenticator, **_kwargs: Any) -> None:
    _factor("added", request, user, authenticator)


def factor_removed(*, request: HttpRequest, user: User, authenticator: Authenticator, **_kwargs: Any) -> None:
    _factor("removed", request, user, authenticator)


def codes_renewed(*, request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record("second_factor.renewed", user=user, request=request)


def factor_refused(*, request: HttpRequest, user: User, authenticator: Authenticator, **_kwargs: Any) -> None:
    record("second_factor.refused", user=user, request=request, method=authenticator.type)


class SessionsAdapter(DefaultUserSessionsAdapter):  # type: ignore[misc]
    """Sessions that a person ends from another browser."""

    def end_sessions(self, sessions: list[UserSession]) -> None:
        super().end_sessions(sessions)
        for session in sessions:
            record("session.ended", user=session.user, request=self.request, method="from another browser")


def _factor(change: str, request: HttpRequest, user: User, authenticator: Authenticator) -> None:
    record(f"second_factor.{change}", user=user, request=request, method=authenticator.type)
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        kind = METHODS[authenticator.type]
        tell_organizations(f"user.second_factor.{change}", user=user, details={"kind": kind})
