from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from usage_dashboard.machine.tuning import postgresql
from usage_dashboard.machine.tuning.memory import parse


class Command(BaseCommand):
    help = (
        "Print the settings that suit a PostgreSQL of your own, for postgresql.conf or for the command that starts it."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--memory", default="", help="what it may count on, as in 16GB (default: POSTGRES_MEMORY)")
        parser.add_argument(
            "--connections", type=int, help="how many it takes (default: what follows from WEB_WORKERS and WEB_THREADS)"
        )
        parser.add_argument("--web-hosts", type=int, default=1, help="how many machines or containers run web")
        parser.add_argument("--workers", type=int, default=1, help="how many of worker and of deliveries run")
        parser.add_argument("--arguments", action="store_true", help="one line of arguments, for POSTGRES_SETTINGS")

    def handle(self, *, memory: str, arguments: bool, **options: Any) -> None:
        found = postgresql.settings_of(memory_bytes=_bytes(memory), connections=_connections(**options))
        if arguments:
            self.stdout.write(postgresql.as_arguments(found))
            return
        self.stdout.write(postgresql.as_file({**found, "wal_compression": "lz4"}), ending="")


def _bytes(given: str) -> int:
    try:
        return parse(given) if given else int(settings.POSTGRES_MEMORY)
    except ValueError as error:
        raise CommandError(f"--memory {error}") from error


def _connections(*, connections: int | None, web_hosts: int, workers: int, **_options: Any) -> int:
    return connections or postgresql.connections_of(
        web_processes=settings.WEB_WORKERS * web_hosts, web_threads=settings.WEB_THREADS, workers=workers
    )
