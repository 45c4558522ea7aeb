import argparse
from datetime import date

from django.core.management.base import BaseCommand, CommandError

from accounts.periods import Period, one_day
from billing import proof


class Command(BaseCommand):
    help = "Compute hourly, daily and cost rows again from the raw events of a range of UTC days."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--from", dest="start", type=date.fromisoformat, required=True, help="first UTC day")
        parser.add_argument(
            "--to", dest="end", type=date.fromisoformat, required=True, help="UTC day after the last one"
        )

    def handle(self, *, start: date, end: date, **options: object) -> None:  # noqa: ARG002
        try:
            days = [one_day(day) for day in Period(start, end).days()]
            for number, day in enumerate(proof.rebuild(days), start=1):
                self.stdout.write(f"{day.start}  rebuilt ({number:,} of {len(days):,})")
        except (ValueError, proof.RawEventsGoneError) as error:
            raise CommandError(str(error)) from error
