from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q

from accounts.changes import change
from apikeys.models import OperatorToken
from apikeys.operatortokens.operatortokens import revoke_operator_token


class Command(BaseCommand):
    help = "Revokes an operator token: the next request with it is refused. Without a token, lists those there are."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("token", nargs="?", help="its id or its name")

    def handle(self, *, token: str | None, **_options: Any) -> None:
        if token is None:
            self._list()
            return
        found = list(OperatorToken.objects.filter(Q(name=token) | Q(public_id=token), revoked_at__isnull=True))
        if len(found) != 1:
            why = f"{len(found)} tokens in use have" if found else "No token in use has"
            raise CommandError(f"{why} the id or name “{token}”. Without a name, this command lists them.")
        with change() as now:
            revoke_operator_token(token=found[0], now=now)
        self.stdout.write(f"“{found[0].name}” ({found[0].redacted}) is revoked.")

    def _list(self) -> None:
        for token in OperatorToken.objects.order_by("-created_at", "-id"):
            state = f"revoked {token.revoked_at:%Y-%m-%d %H:%M} UTC" if token.revoked_at else "in use"
            self.stdout.write(f"{token.public_id}  {token.name}  {token.redacted}  {','.join(token.scopes)}  {state}")
