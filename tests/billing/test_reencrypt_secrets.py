"""SECRET_KEY changes without anybody losing a webhook or a second factor."""

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command
from pytest_django import Settings

from accounts.installation.encryption import UnreadableSecretError
from billing.alerts import WebhookEndpoint
from billing.notices import endpoints
from tests.world import World


def test_secrets_are_read_after_the_earlier_key_is_gone(
    world: World, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    WebhookEndpoint.objects.create(
        organization=world.acme, url="https://example.com/", encrypted_secret=endpoints.seal("whsec_a")
    )
    factor = Authenticator.objects.create(
        user=world.alice, type=Authenticator.Type.TOTP, data={"secret": get_adapter().encrypt("totp")}
    )
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "a new one"
    call_command("reencrypt_secrets")
    assert capsys.readouterr().out == "Encrypted again: 1 webhook, 1 second factor.\n"
    settings.SECRET_KEY_FALLBACKS = []
    factor.refresh_from_db()
    assert WebhookEndpoint.objects.get().secret == "whsec_a"
    assert get_adapter().decrypt(factor.data["secret"]) == "totp"


def test_without_the_earlier_key_nothing_is_changed(world: World, settings: Settings) -> None:
    sealed = endpoints.seal("whsec_a")
    WebhookEndpoint.objects.create(organization=world.acme, url="https://example.com/", encrypted_secret=sealed)
    settings.SECRET_KEY = "a new one"
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("reencrypt_secrets")
    assert WebhookEndpoint.objects.get().encrypted_secret == sealed
    with pytest.raises(UnreadableSecretError):
        assert WebhookEndpoint.objects.get().secret
