import sys

from django.core.management.base import BaseCommand

from usage_dashboard.first_start.unattended import RefusedError, initialize


class Command(BaseCommand):
    help = "Make the first of staff as INIT_EMAIL and the other INIT_… settings say, while nobody is staff; else change nothing."

    def handle(self, *_args: object, **_options: object) -> None:
        try:
            initialize(self.stdout.write)
        except RefusedError as error:
            sys.exit(str(error))
