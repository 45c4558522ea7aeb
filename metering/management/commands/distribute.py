import argparse

from django.core.management.base import BaseCommand, CommandError

from metering.cluster import distribution


class Command(BaseCommand):
    help = "Spread what grows with usage over the nodes of a Citus cluster. Says what it would do; --apply does it."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--apply", action="store_true", help="do it; stop web, worker and beat first")

    def handle(self, *, apply: bool, **_options: object) -> None:
        try:
            num_workers = distribution.check()
        except distribution.NotPossibleError as error:
            raise CommandError(str(error)) from error
        steps = list(distribution.steps())
        if not steps:
            self.stdout.write(f"This database is distributed to {num_workers} worker nodes; nothing is left to do.")
            return
        for step in steps:
            self.stdout.write(step.words)
            if apply:
                distribution.take(step)
        if apply:
            self.stdout.write(f"Done: distributed to {num_workers} worker nodes. Start web, worker and beat again.")
        else:
            self.stdout.write("Nothing was changed. With web, worker and beat stopped, --apply does this.")
