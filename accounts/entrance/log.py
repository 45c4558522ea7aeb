"""The security log: who came in, who was refused, and what changed in what lets a person in.

Each person reads their own, staff reads all. Two kinds of changes are also an organization's business, because its usage and
its bill hang on them: a member's second factor that comes or goes, and the email address that a member is known by. They
are in the audit log of each organization that the person is in; where the person was at that moment is not.
Never kept: passwords, codes, and what was typed into the field for the email address.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from allauth.account.utils import url_str_to_user_pk
from django.conf import settings
from django.core.cache import cache
from django.db.models.functions import Now
from django.http import HttpRequest

from accounts.access import organizations_of
from accounts.audit import audit
from accounts.audit.audit import Actor, actor_of
from accounts.models import SecurityEvent, User

LABELS: Final = {
    "sign_in": "Signed in",
    "sign_in.refused": "Sign-in refused",
    "sign_in.locked": "Sign-in refused: too many tries",
    "second_factor.refused": "Second factor refused",
    "second_factor.added": "Second factor added",
    "second_factor.removed": "Second factor removed",
    "second_factor.renewed": "Recovery codes created again",
    "password.changed": "Password changed",
    "email.added": "Email address added",
    "email.confirmed": "Email address confirmed",
    "email.changed": "Main email address changed",
    "email.removed": "Email address removed",
    "session.ended": "Signed out",
}
METHODS: Final = {
    "password": "password",
    "totp": "authenticator app",
    "webauthn": "passkey",
    "recovery_codes": "recovery code",
    "socialaccount": "single sign-on",
}
SHOWN: Final = 20
LOCKED_SECONDS: Final = 300
USER_AGENT_LENGTH: Final = 200


def record(event: str, *, user: User | None, request: HttpRequest | None, method: str = "") -> None:
    """Add an entry. `method` is one of METHODS or a few words of ours."""
    SecurityEvent.objects.create(
        user=user,
        event=event,
        method=METHODS.get(method, method),
        address=actor_of(request).address if request else None,
        user_agent=request.headers.get("User-Agent", "").replace("\0", "")[:USER_AGENT_LENGTH] if request else "",
    )


def record_locked(*, user: User | None, request: HttpRequest) -> None:
    """Once in a while, because whoever is locked out may go on trying."""
    if cache.add(f"locked:{user and user.pk}:{actor_of(request).address}", 1, timeout=LOCKED_SECONDS):
        record("sign_in.locked", user=user, request=request)


def person_of(request: HttpRequest) -> User | None:
    """Who is signed in, or has shown a password and not yet the second factor."""
    if isinstance(request.user, User):
        return request.user
    begun = request.session.get("account_login") or {}
    return User.objects.filter(pk=url_str_to_user_pk(begun["user_pk"])).first() if begun.get("user_pk") else None


def tell_organizations(event: str, *, user: User, details: Mapping[str, object], by: Actor | None = None) -> None:
    """An entry in the audit log of each organization, without the address from which the person acted. `by` is who acted for
    them: staff, or a program."""
    for organization in organizations_of(user):
        if not organization.is_personal:
            audit.record(
                event,
                actor=Actor(by.user, by.name) if by else Actor(user=user, name=user.email),
                organization=organization,
                target_id=user.public_id,
                target_name=user.email,
                details=details,
            )


def ways_in(request: HttpRequest) -> str:
    """With what the person of this session has shown who they are: `password, authenticator app`."""
    steps = request.session.get("account_authentication_methods", [])
    names = [
        METHODS.get(step.get("type") or step.get("method"), "") for step in steps if not step.get("reauthenticated")
    ]
    return ", ".join(dict.fromkeys(filter(None, names)))


def latest_of(user: User) -> list[dict[str, object]]:
    """The person's latest entries, newest first, with words for what happened."""
    found = SecurityEvent.objects.filter(user=user).order_by("-occurred_at", "-id")[:SHOWN]
    return [{"label": LABELS.get(entry.event, entry.event), "entry": entry} for entry in found]


def drop_old() -> int:
    """Forget what is older than SECURITY_LOG_RETENTION_DAYS; returns how many entries that were."""
    kept = timedelta(days=settings.SECURITY_LOG_RETENTION_DAYS)
    num_dropped, _ = SecurityEvent.objects.filter(occurred_at__lt=Now() - kept).delete()
    return num_dropped
