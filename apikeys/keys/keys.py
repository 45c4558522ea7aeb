"""Changes to API keys and ingest tokens.

Functions that take `now` change what routing or authentication depends on: call them inside
`with accounts.changes.routing_change(user) as now`, which says when the change takes effect. What they decide on they read
themselves, with the row of the key locked.
"""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F

from accounts import limits
from accounts.audit import audit
from accounts.audit.audit import SYSTEM_ACTOR, Actor, Said
from accounts.changes import ForwardOnlyError
from accounts.limits import LimitReachedError
from accounts.models import User
from accounts.pages.words import counted
from apikeys import news, secrets
from apikeys.models import APIKey, IngestToken, TrackingChange

TRACKED_BY_DEFAULT_FROM: Final = datetime(2023, 12, 21, tzinfo=UTC)
"""Keys created after 20 December 2023 (UTC), so from this moment on, are tracked from the start (product.md, section 2).
An older key is not, until its user turns tracking on."""

MAX_NAME_LENGTH: Final = 255
REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, lone surrogates, line breaks


class InvalidNameError(ValueError):
    """A name that a key or token cannot have; the message says why."""


class KeyRevokedError(ValueError):
    """A revoked key cannot be changed any more."""


class AlreadyRotatedError(ValueError):
    """The secret that was to be replaced is not the key's any more."""


def create_api_key(
    *,
    user: User,
    name: str,
    created_at: datetime,
    expires_at: datetime | None = None,
    actor: Actor = SYSTEM_ACTOR,
) -> tuple[APIKey, str]:
    """A new key of the user, and its secret, which is nowhere else and cannot be shown again.

    Tracked by default if created after 20 December 2023 (UTC). Raises InvalidNameError.
    """
    secret = secrets.make_api_key_secret()
    tracked = created_at >= TRACKED_BY_DEFAULT_FROM
    with transaction.atomic():
        api_key = APIKey.objects.create(
            user=user,
            name=clean_name(name),
            digest=secrets.digest(secret),
            redacted=secrets.redact(secret),
            tracked=tracked,
            created_at=created_at,
            expires_at=expires_at,
        )
        TrackingChange.objects.create(api_key=api_key, tracked=tracked, effective_at=created_at)
        _tell("api_key.created", api_key, actor, tracked=tracked, expires_at=expires_at and expires_at.isoformat())
    return api_key, secret


def spend_new_key(*, user: User, now: datetime) -> None:
    """Counts a new key against the user's limits; until the end of the transaction they get no other one.

    Raises limits.LimitReachedError.
    """
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    usable = APIKey.objects.filter(user=user, revoked_at__isnull=True).exclude(expires_at__lte=now)
    if usable.count() >= settings.MAX_API_KEYS_PER_PERSON:
        raise LimitReachedError(
            f"You have {counted(settings.MAX_API_KEYS_PER_PERSON, 'active key')}, which is the limit. "
            "Revoke one you no longer need."
        )
    limits.spend(user, limits.API_KEYS)


def rename_api_key(*, api_key: APIKey, name: str, actor: Actor = SYSTEM_ACTOR) -> None:
    """Gives the key another name, in past usage too. Raises InvalidNameError or KeyRevokedError."""
    new = clean_name(name)
    with transaction.atomic():
        _lock_usable(api_key)
        before, api_key.name = api_key.name, new
        api_key.save(update_fields=["name"])
        _record("api_key.updated", api_key, actor, name=api_key.name, name_before=before)


def rotate_api_key(
    *, api_key: APIKey, overlap: timedelta, now: datetime, replaces: str = "", actor: Actor = SYSTEM_ACTOR
) -> str:
    """Gives the key a new secret, which is nowhere else; the one until now opens the API for `overlap` more.

    The key stays the same in all usage. A secret from an earlier rotation ends at once. `replaces` is how the secret until now
    is shown, from those who were asked about it. Raises KeyRevokedError or AlreadyRotatedError.
    """
    _lock_usable(api_key)
    if replaces and replaces != api_key.redacted:
        raise AlreadyRotatedError(f"The secret {replaces} has been replaced already.")
    secret = secrets.make_api_key_secret()
    api_key.previous_digest, api_key.previous_expires_at = api_key.digest, now + overlap
    api_key.digest, api_key.redacted = secrets.digest(secret), secrets.redact(secret)
    api_key.save(update_fields=["previous_digest", "previous_expires_at", "digest", "redacted"])
    _record("api_key.updated", api_key, actor, rotated=True, old_secret_until=api_key.previous_expires_at.isoformat())
    return secret


def set_tracking(*, api_key: APIKey, tracked: bool, now: datetime, actor: Actor = SYSTEM_ACTOR) -> bool:
    """From `now` on the key is tracked or not; usage before that stays as it was. Returns whether anything changed.

    Raises KeyRevokedError, ForwardOnlyError for a moment before an earlier switch, and limits.LimitReachedError for a day with
    many of them.
    """
    _lock_usable(api_key)
    if api_key.tracked == tracked:
        return False
    if api_key.tracking_changes.filter(effective_at__gt=now).exists():
        raise ForwardOnlyError("Tracking works forward only: this key has a later switch.")
    limits.require_room(
        TrackingChange.objects.filter(api_key__user=api_key.user_id).exclude(effective_at=F("api_key__created_at")),
        f"Tracking of the keys of {api_key.user} was switched",
        at=now,
        most=settings.SWITCHES_PER_DAY,
    )
    api_key.tracked = tracked
    api_key.save(update_fields=["tracked"])
    TrackingChange.objects.update_or_create(api_key=api_key, effective_at=now, defaults={"tracked": tracked})
    _record("api_key.updated", api_key, actor, tracked=tracked, effective_at=now.isoformat())
    return True


def set_expiry(*, api_key: APIKey, expires_at: datetime | None, actor: Actor = SYSTEM_ACTOR) -> None:
    """From when on the key opens nothing by itself; None: it does until it is revoked. Raises KeyRevokedError.

    To be called inside `with accounts.changes.routing_change(user)`.
    """
    _lock_usable(api_key)
    api_key.expires_at = expires_at
    api_key.save(update_fields=["expires_at"])
    _record("api_key.updated", api_key, actor, expires_at=expires_at and expires_at.isoformat())


def revoke_api_key(*, api_key: APIKey, now: datetime, actor: Actor = SYSTEM_ACTOR) -> None:
    """From `now` on the key opens nothing. It stays, so that past usage keeps its name. A second time changes nothing."""
    _lock(api_key)
    if api_key.revoked_at is None:
        api_key.revoked_at = now
        api_key.save(update_fields=["revoked_at"])
        _tell("api_key.deleted", api_key, actor, revoked_at=now.isoformat())


def create_ingest_token(*, name: str, secret: str = "", actor: Actor = SYSTEM_ACTOR) -> tuple[IngestToken, str]:
    """A new token for a gateway, and its secret, which cannot be shown again; the operator's own `secret`, if there is one.

    Raises InvalidNameError, also for a taken name.
    """
    name = clean_name(name, max_length=120)
    secret = secret or secrets.make_ingest_token_secret()
    try:
        with transaction.atomic():
            token = IngestToken.objects.create(
                name=name, digest=secrets.digest(secret), redacted=secrets.redact(secret)
            )
            news.record_for_staff("ingest_token.created", actor=actor, target_id=token.redacted, target_name=token.name)
    except IntegrityError as error:
        raise InvalidNameError(f"There is already an ingest token named “{name}”.") from error
    return token, secret


def revoke_ingest_token(*, token: IngestToken, now: datetime, actor: Actor = SYSTEM_ACTOR) -> None:
    """From `now` on the token opens nothing. A second time changes nothing."""
    token.refresh_from_db(from_queryset=IngestToken.objects.select_for_update())
    if token.revoked_at is None:
        token.revoked_at = now
        token.save(update_fields=["revoked_at"])
        news.record_for_staff("ingest_token.deleted", actor=actor, target_id=token.redacted, target_name=token.name)


def clean_name(name: str, *, max_length: int = MAX_NAME_LENGTH) -> str:
    """The name without white space around it. Raises InvalidNameError if it is empty, too long, unprintable or a secret."""
    name = name.strip()
    if not name:
        raise InvalidNameError("Enter a name.")
    if len(name) > max_length:
        raise InvalidNameError(f"A name can have at most {max_length} characters; this one has {len(name):,}.")
    if any(unicodedata.category(character) in REFUSED_CATEGORIES for character in name):
        raise InvalidNameError("A name cannot contain control characters or line breaks.")
    if secrets.contains_secret(name):
        raise InvalidNameError(
            "This looks like a secret. Names are visible to others, so it was not saved; choose another name."
        )
    return name


def _record(event: str, api_key: APIKey, actor: Actor, **details: object) -> None:
    """Owners of the user's default organization may read it: that is where the key's usage shows."""
    audit.record(event, **_said(api_key, actor, details))


def _tell(event: str, api_key: APIKey, actor: Actor, **details: object) -> None:
    """As `_record`, and that organization hears of it."""
    news.record(event, **_said(api_key, actor, details))


def _said(api_key: APIKey, actor: Actor, details: Mapping[str, object]) -> Said:
    return {
        "actor": actor,
        "organization": api_key.user.default_organization,
        "target_id": api_key.public_id,
        "target_name": api_key.name,
        "details": {**details, "user": api_key.user.email},
    }


def _lock(api_key: APIKey) -> None:
    """The key is read again, with its user; until the end of the transaction nobody else changes it."""
    api_key.refresh_from_db(
        from_queryset=APIKey.objects.select_for_update(no_key=True, of=("self",)).select_related(
            "user__default_organization"
        )
    )


def _lock_usable(api_key: APIKey) -> None:
    _lock(api_key)
    if api_key.revoked_at is not None:
        raise KeyRevokedError("This key is revoked and can no longer be changed.")
