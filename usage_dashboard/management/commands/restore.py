import argparse
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from usage_dashboard.backups.place import open_database
from usage_dashboard.backups.programs import BackupError
from usage_dashboard.backups.restore import restore


class Command(BaseCommand):
    help = "Bring back what `backup` wrote, into an empty database. Web, workers and beat have to be stopped."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--replace", action="store_true", help="throw away what is in the database now")

    def handle(self, *, file: Path, replace: bool, **_options: object) -> None:
        try:
            with open_database(alone=True):
                restored = restore(file.absolute(), replace=replace)
        except BackupError as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(f"PostgreSQL says: {str(error).strip()}") from error
        rows = ", ".join(f"{number:,} {name}" for name, number in restored.rows.items())
        self.stdout.write(f"Restored the backup of {restored.made_at}: {rows}.")
        if restored.is_behind:
            self.stdout.write("It is of an earlier version: run `migrate` before web starts (`run` does so itself).")
        self.stdout.write("Start with the same SECRET_KEY, and let `verify_rollups` prove it.")
