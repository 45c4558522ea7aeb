from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.clock import database_now
from apikeys.keys.keys import InvalidNameError
from apikeys.models import OperatorToken
from apikeys.operatortokens.operatortokens import create_operator_token


class Command(BaseCommand):
    help = (
        "Creates a token with which a program of the operator's uses the provisioning API, and prints only the token."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what the token is called in the audit log")
        parser.add_argument(
            "--scope",
            action="append",
            choices=OperatorToken.Scope.values,
            help="what it may do; may be given several times. Without it, everything",
        )
        parser.add_argument("--days", type=int, help="for how many days it is valid; without it, until it is revoked")

    def handle(self, *, name: str, scope: list[str] | None, days: int | None, **_options: Any) -> None:
        if days is not None and not 1 <= days <= 3650:
            raise CommandError("--days is a number from 1 to 3650.")
        now = database_now()
        try:
            _, secret = create_operator_token(
                name=name,
                scopes=scope or OperatorToken.Scope.values,
                now=now,
                expires_at=None if days is None else now + timedelta(days=days),
            )
        except InvalidNameError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(secret)
