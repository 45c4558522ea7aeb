from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q

from accounts.changes import routing_change
from apikeys.keys.keys import revoke_ingest_token
from apikeys.models import IngestToken


class Command(BaseCommand):
    help = (
        "Revokes a token with which a gateway reports usage: the next request with it is refused. It stays in the list."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("token", help="its name, or its number in list_ingest_tokens")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *, token: str, yes: bool, **_options: Any) -> None:
        found = _find(token)
        if not yes and not self._is_sure(found):
            raise CommandError("Nothing was changed.")
        with routing_change() as now:
            revoke_ingest_token(token=found, now=now)
        self.stdout.write(f"“{found.name}” ({found.redacted}) is revoked.")

    def _is_sure(self, token: IngestToken) -> bool:
        self.stdout.write(
            f"“{token.name}” ({token.redacted}, made {token.created_at:%Y-%m-%d}): whoever sends usage with it is refused "
            "from now on, for good. Type its name to revoke it: ",
            ending="",
        )
        self.stdout.flush()
        try:
            return input().strip() == token.name
        except EOFError:
            raise CommandError("Nobody is there to answer; --yes revokes without asking.") from None


def _find(name_or_number: str) -> IngestToken:
    wanted = Q(name=name_or_number.strip())
    if name_or_number.isdecimal() and len(name_or_number) < 19:
        wanted |= Q(pk=int(name_or_number))
    tokens = list(IngestToken.objects.filter(wanted))
    if not tokens:
        raise CommandError(f"There is no ingest token with the name or number “{name_or_number}” (list_ingest_tokens).")
    if len(tokens) > 1:
        names = " and ".join(f"“{token.name}” (number {token.pk})" for token in tokens)
        raise CommandError(f"“{name_or_number}” is the name of one token and the number of another: {names}.")
    if tokens[0].revoked_at is not None:
        raise CommandError(f"“{tokens[0].name}” was revoked on {tokens[0].revoked_at:%Y-%m-%d} already.")
    return tokens[0]
