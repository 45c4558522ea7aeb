from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.clock import database_now
from accounts.models import User
from apikeys.keys.keys import InvalidNameError, create_api_key


class Command(BaseCommand):
    help = "Creates an API key for a person and prints its id and its secret, separated by a space."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="whose key it is")
        parser.add_argument("name", help="what the key is called")

    def handle(self, *, email: str, name: str, **_options: Any) -> None:
        user = User.objects.filter(email=email.strip().lower()).first()
        if user is None:
            raise CommandError(f"Nobody here has the email {email}.")
        try:
            api_key, secret = create_api_key(user=user, name=name, created_at=database_now())
        except InvalidNameError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{api_key.public_id} {secret}")
