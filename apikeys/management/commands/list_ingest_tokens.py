from typing import Any

from django.core.management.base import BaseCommand

from apikeys.models import IngestToken


class Command(BaseCommand):
    help = (
        "Lists the tokens with which gateways report usage, the newest first: number, name, secret in part, and dates."
    )

    def handle(self, **_options: Any) -> None:
        for token in IngestToken.objects.order_by("-created_at", "-id"):
            state = f"revoked {token.revoked_at:%Y-%m-%d %H:%M} UTC" if token.revoked_at else "in use"
            self.stdout.write(
                f"{token.id}  {token.name}  {token.redacted}  made {token.created_at:%Y-%m-%d %H:%M} UTC  {state}"
            )
