import argparse
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from usage_dashboard.backups.dump import back_up
from usage_dashboard.backups.place import open_database
from usage_dashboard.backups.programs import BackupError


class Command(BaseCommand):
    help = "Write the whole database as of now into one file, while everything goes on (PostgreSQL's pg_dump, custom format)."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a file that is not there yet")

    def handle(self, *, file: Path, **_options: object) -> None:
        try:
            with open_database(alone=False):
                made = back_up(file.absolute())
        except BackupError as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(f"PostgreSQL says: {str(error).strip()}") from error
        self.stdout.write(
            f"{made.file} has everything that was acknowledged before {made.as_of:%Y-%m-%d %H:%M:%S} UTC "
            f"({made.num_bytes:,} bytes, from PostgreSQL {made.server_version})."
        )
        self.stdout.write("SECRET_KEY is not in it. Keep it elsewhere: second factors and webhooks need it.")
