"""SCIM tokens: what owners make for their identity provider, which then says who is in the organization."""

from datetime import datetime
from typing import Final

from django.db import transaction

from accounts.audit import audit
from accounts.audit.audit import SYSTEM_ACTOR, Actor
from accounts.limits import LimitReachedError
from accounts.models import Organization
from apikeys import secrets
from apikeys.keys.keys import clean_name
from apikeys.models import ScimToken

MAX_NAME_LENGTH: Final = 120
MOST: Final = 10
"""Of an organization at once: a provider needs one, and a second one while it is replaced."""


def create_scim_token(
    *,
    organization: Organization,
    name: str,
    now: datetime,
    expires_at: datetime | None = None,
    actor: Actor = SYSTEM_ACTOR,
) -> tuple[ScimToken, str]:
    """A new token of the organization, and its secret, which is nowhere else and cannot be shown again.

    Raises InvalidNameError or LimitReachedError.
    """
    secret = secrets.make_scim_token_secret()
    with transaction.atomic():
        Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
        usable = ScimToken.objects.filter(organization=organization, revoked_at__isnull=True)
        if usable.exclude(expires_at__lte=now).count() >= MOST:
            raise LimitReachedError(f"{organization} has {MOST} SCIM tokens. Revoke one that is no longer needed.")
        token = ScimToken.objects.create(
            organization=organization,
            created_by=actor.user,
            name=clean_name(name, max_length=MAX_NAME_LENGTH),
            digest=secrets.digest(secret),
            redacted=secrets.redact(secret),
            created_at=now,
            expires_at=expires_at,
        )
        until = expires_at.isoformat() if expires_at else None
        _record("scim_token.created", token, actor, expires_at=until)
    return token, secret


def revoke_scim_token(*, token: ScimToken, now: datetime, actor: Actor = SYSTEM_ACTOR) -> None:
    """From now on the token opens nothing. A second time changes nothing. Call it inside a transaction."""
    rows = ScimToken.objects.select_for_update(no_key=True, of=("self",)).select_related("organization")
    token.refresh_from_db(from_queryset=rows)
    if token.revoked_at is None:
        token.revoked_at = now
        token.save(update_fields=["revoked_at"])
        _record("scim_token.deleted", token, actor, revoked_at=now.isoformat())


def _record(event: str, token: ScimToken, actor: Actor, **details: object) -> None:
    audit.record(
        event,
        actor=actor,
        organization=token.organization,
        target_id=token.public_id,
        target_name=token.name,
        details=details,
    )
