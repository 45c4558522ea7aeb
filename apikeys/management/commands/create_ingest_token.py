from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apikeys.keys.keys import InvalidNameError, create_ingest_token


class Command(BaseCommand):
    help = "Creates a token with which a gateway may report usage of any key, and prints only the token."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what the token is called; each name is used once")

    def handle(self, *, name: str, **_options: Any) -> None:
        try:
            _, secret = create_ingest_token(name=name)
        except InvalidNameError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(secret)
