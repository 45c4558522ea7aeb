import argparse
from collections import Counter
from datetime import date

from django.core.management.base import BaseCommand, CommandError

from accounts.pages.words import counted
from billing import proof
from metering.rollups.proof import days_with_events


class Command(BaseCommand):
    help = "Prove that raw events = hourly = daily = cost = billed = invoice. Prints the drift; exits with 1 if there is any."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--from", dest="start", type=date.fromisoformat, help="first UTC day, default: all kept days"
        )
        parser.add_argument("--to", dest="end", type=date.fromisoformat, help="UTC day after the last one")

    def handle(self, *, start: date | None, end: date | None, verbosity: int, **options: object) -> None:  # noqa: ARG002
        days = [day for day in days_with_events() if (not start or day.start >= start) and (not end or day.start < end)]
        rows: Counter[str] = Counter()
        different: Counter[str] = Counter()
        for drift in proof.prove(days):
            rows[drift.layer] += drift.num_rows
            different[drift.layer] += drift.num_different
            if drift.num_different:
                self.stdout.write(f"{drift.period.start}  {drift.layer}: different rows: {drift.num_different}")
            elif verbosity > 1:
                self.stdout.write(f"{drift.period.start}  {drift.layer}: equal rows: {drift.num_rows}")
        for layer, num_rows in rows.items():
            self.stdout.write(f"{layer:<22} {num_rows:>12,} rows  drift {different[layer]}")
        self.stdout.write(f"{counted(len(days), 'day')} verified, drift {different.total()}")
        if different.total():
            raise CommandError(
                "The layers differ. rebuild_rollups computes rollups and costs again; a wrong final document is voided."
            )
