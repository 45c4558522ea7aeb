"""`manage.py reencrypt_secrets`: after a change of SECRET_KEY, before the old value goes from SECRET_KEY_FALLBACKS."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts.entrance.adapter import SECOND_FACTORS
from accounts.installation.encryption import UnreadableSecretError, encrypt_again
from accounts.pages.words import counted
from billing.alerts import WEBHOOK_SECRETS, WebhookEndpoint

ENCRYPTED_PARTS = {Authenticator.Type.TOTP: "secret", Authenticator.Type.RECOVERY_CODES: "seed"}


class Command(BaseCommand):
    help = "Encrypt the secrets of webhooks and second factors again, with the SECRET_KEY of now."

    def handle(self, *_args: Any, **_options: Any) -> None:
        try:
            with transaction.atomic():
                num_webhooks, num_factors = _webhooks(), _second_factors()
        except UnreadableSecretError as error:
            raise CommandError(f"Nothing was changed. {error}") from error
        self.stdout.write(
            f"Encrypted again: {counted(num_webhooks, 'webhook')}, {counted(num_factors, 'second factor')}."
        )


def _webhooks() -> int:
    found = WebhookEndpoint.objects.select_for_update().filter(disabled_at__isnull=True)
    for endpoint in found:
        endpoint.encrypted_secret = encrypt_again(endpoint.encrypted_secret, purpose=WEBHOOK_SECRETS)
        endpoint.save(update_fields=["encrypted_secret"])
    return len(found)


def _second_factors() -> int:
    found = Authenticator.objects.select_for_update().filter(type__in=ENCRYPTED_PARTS)
    for factor in found:
        if part := factor.data.get(ENCRYPTED_PARTS[factor.type]):
            factor.data[ENCRYPTED_PARTS[factor.type]] = encrypt_again(part, purpose=SECOND_FACTORS)
        if codes := factor.data.get("migrated_codes"):
            factor.data["migrated_codes"] = [encrypt_again(code, purpose=SECOND_FACTORS) for code in codes]
        factor.save(update_fields=["data"])
    return len(found)
