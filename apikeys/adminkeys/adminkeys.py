"""Admin keys of an organization: what owners make for programs that read usage, costs, invoices and members."""

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction

from accounts import limits
from accounts.audit.audit import SYSTEM_ACTOR, Actor
from accounts.limits import LimitReachedError
from accounts.models import Organization, User
from accounts.pages.words import counted
from apikeys import news, secrets
from apikeys.keys.keys import clean_name
from apikeys.models import AdminKey


def create_admin_key(  # noqa: PLR0913 - one keyword for each thing that a key has
    *,
    organization: Organization,
    name: str,
    scopes: Sequence[str],
    now: datetime,
    expires_at: datetime | None = None,
    actor: Actor = SYSTEM_ACTOR,
) -> tuple[AdminKey, str]:
    """A new key of the organization, and its secret, which is nowhere else and cannot be shown again.

    Raises InvalidNameError.
    """
    secret = secrets.make_admin_key_secret()
    with transaction.atomic():
        admin_key = AdminKey.objects.create(
            organization=organization,
            created_by=actor.user,
            name=clean_name(name),
            digest=secrets.digest(secret),
            redacted=secrets.redact(secret),
            scopes=sorted(set(scopes)),
            created_at=now,
            expires_at=expires_at,
        )
        _record("admin_key.created", admin_key, actor, scopes=", ".join(admin_key.scopes), expires_at=_iso(expires_at))
    return admin_key, secret


def spend_new_admin_key(*, organization: Organization, user: User, now: datetime) -> None:
    """Counts a new key against what the person and the organization may have; until the end of the transaction nobody else
    makes one for it. Raises limits.LimitReachedError.
    """
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    usable = AdminKey.objects.filter(organization=organization, revoked_at__isnull=True).exclude(expires_at__lte=now)
    if usable.count() >= settings.MAX_ADMIN_KEYS_PER_ORGANIZATION:
        raise LimitReachedError(
            f"{organization} has {counted(settings.MAX_ADMIN_KEYS_PER_ORGANIZATION, 'active admin key')}, "
            "which is the limit. Revoke one that is no longer needed."
        )
    limits.spend(user, limits.API_KEYS)


def revoke_admin_key(*, admin_key: AdminKey, now: datetime, actor: Actor = SYSTEM_ACTOR) -> None:
    """From now on the key opens nothing. A second time changes nothing. Call it inside a transaction."""
    rows = AdminKey.objects.select_for_update(no_key=True, of=("self",)).select_related("organization")
    admin_key.refresh_from_db(from_queryset=rows)
    if admin_key.revoked_at is None:
        admin_key.revoked_at = now
        admin_key.save(update_fields=["revoked_at"])
        _record("admin_key.deleted", admin_key, actor, revoked_at=now.isoformat())


def _record(event: str, admin_key: AdminKey, actor: Actor, **details: object) -> None:
    news.record(
        event,
        actor=actor,
        organization=admin_key.organization,
        target_id=admin_key.public_id,
        target_name=admin_key.name,
        details=details,
    )


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
