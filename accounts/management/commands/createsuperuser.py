"""Django's `createsuperuser`, which gives an e-mail address to the person whom the operator adds."""

from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.management.commands import createsuperuser
from django.db import transaction

from accounts.emails import normalized
from accounts.entrance import claims


class Command(createsuperuser.Command):
    """What somebody else wrote down and never confirmed ends, as it does when its owner confirms it; all or nothing."""

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)

    def _validate_username(self, username: str, verbose_field_name: str, database: str) -> str | None:
        email = normalized(username)
        if EmailAddress.objects.is_verified(email):
            return f"Error: That {verbose_field_name} is already taken."
        claims.release(email, owner=None)
        found: str | None = super()._validate_username(username, verbose_field_name, database)  # type: ignore[misc]
        return found
