"""Operator tokens: what staff makes for the operator's own programs, which keep customers, people and keys here."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from accounts.audit import audit
from accounts.audit.audit import SYSTEM_ACTOR, Actor
from apikeys import secrets
from apikeys.keys.keys import clean_name
from apikeys.models import OperatorToken

MAX_NAME_LENGTH = 120


def create_operator_token(
    *,
    name: str,
    scopes: Sequence[str],
    now: datetime,
    expires_at: datetime | None = None,
    actor: Actor = SYSTEM_ACTOR,
) -> tuple[OperatorToken, str]:
    """A new token, and its secret, which is nowhere else and cannot be shown again. Raises InvalidNameError."""
    secret = secrets.make_operator_token_secret()
    with transaction.atomic():
        token = OperatorToken.objects.create(
            created_by=actor.user,
            name=clean_name(name, max_length=MAX_NAME_LENGTH),
            digest=secrets.digest(secret),
            redacted=secrets.redact(secret),
            scopes=sorted(set(scopes)),
            created_at=now,
            expires_at=expires_at,
        )
        until = expires_at.isoformat() if expires_at else None
        _record("operator_token.created", token, actor, scopes=", ".join(token.scopes), expires_at=until)
    return token, secret


def revoke_operator_token(*, token: OperatorToken, now: datetime, actor: Actor = SYSTEM_ACTOR) -> None:
    """From now on the token opens nothing. A second time changes nothing. Call it inside a transaction."""
    token.refresh_from_db(from_queryset=OperatorToken.objects.select_for_update(no_key=True))
    if token.revoked_at is None:
        token.revoked_at = now
        token.save(update_fields=["revoked_at"])
        _record("operator_token.deleted", token, actor, revoked_at=now.isoformat())


def _record(event: str, token: OperatorToken, actor: Actor, **details: object) -> None:
    audit.record(event, actor=actor, target_id=token.public_id, target_name=token.name, details=details)
