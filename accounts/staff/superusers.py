"""Whoever may do everything: an active superuser who is staff. The installation always keeps one."""

from typing import Final

from django.db import connection
from django.db.models import QuerySet

from accounts.models import User

SUPERUSERS_LOCK: Final = 0x5553_4147_4507
"""An advisory lock's key, as `accounts_installation_keeps_a_superuser` in the database has it."""


class LastSuperuserError(ValueError):
    """An installation always keeps at least one superuser."""


def superusers() -> QuerySet[User]:
    return User.objects.filter(is_active=True, is_staff=True, is_superuser=True)


def require_another(user: User) -> None:
    """Raises LastSuperuserError for the last superuser. What it finds holds until the end of the transaction.

    The person's row is locked before the rest, in the order in which the database's own guard does it.
    """
    if not superusers().select_for_update(no_key=True).filter(pk=user.pk).exists():
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SUPERUSERS_LOCK])
    if not superusers().exclude(pk=user.pk).exists():
        raise LastSuperuserError(f"{user} is the last superuser. Make someone else a superuser first.")
