from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.clock import database_now
from apikeys.keys.importing import UnreadableFileError, import_api_keys


class Command(BaseCommand):
    help = (
        "Imports API keys that were created elsewhere from a CSV file with the columns email, name, created, and secret or"
        " digest (SHA-256 in hex). All of them or none; keys that already exist are left unchanged."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *, file: Path, **_options: Any) -> None:
        try:
            with file.open(encoding="utf-8-sig", newline="") as lines:
                imported = import_api_keys(lines, now=database_now())
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file} could not be read: {type(error).__name__}.") from error
        except UnreadableFileError as error:
            raise CommandError(f"Nothing was imported.\n{error}") from error
        self.stdout.write(f"{imported.num_new} imported, {imported.num_known} already here.")
