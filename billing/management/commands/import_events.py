import argparse
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from accounts.clock import database_now
from accounts.models import Organization
from accounts.pages.words import counted
from apikeys.models import IngestToken
from billing.prices.invoiced_months import invoiced_since
from metering.intake import ingest
from metering.intake.bodies.files import UNREADABLE
from metering.intake.history.formats import FORMATS
from metering.intake.history.keys import Keys, UnreadableKeysError, read_keys
from metering.intake.history.progress import Progress
from metering.intake.history.reach import Reach, oldest_day
from metering.intake.history.rows import UnreadableFileError
from metering.intake.history.run import Order, Step, run

SOME_REFUSED: Final = 3
INTERRUPTED: Final = 130
SECONDS_BETWEEN_LINES: Final = 2.0


class Command(BaseCommand):
    help = (
        "Imports usage from a file of CSV or NDJSON, as it is or packed with gzip or zstd. Safe to run twice; after it was"
        " stopped it goes on where it was. Exits with 0 if all rows were taken, 3 if some were refused, 1 if it failed."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--format", choices=sorted(FORMATS), required=True, dest="format_name")
        parser.add_argument(
            "--token", metavar="NAME", help="ingest token in whose name it comes; needed if there are several"
        )
        parser.add_argument("--keys", type=Path, metavar="FILE", help="CSV with the columns theirs, api_key_id")
        parser.add_argument(
            "--older", action="store_true", help="also events that are too old, where no final invoice is"
        )
        parser.add_argument("--dry-run", action="store_true", help="store nothing, and say what would be refused")
        parser.add_argument("--from-start", action="store_true", help="do not go on where an earlier run was stopped")
        parser.add_argument("--beside", type=Path, metavar="DIR", help="where refused rows and progress are written")

    def handle(self, *, file: Path, from_start: bool, **options: Any) -> None:
        progress: Progress | None = None
        try:
            order = _order(file, now=database_now(), **options)
            progress = self._run(order, from_start=from_start)
        except (UnreadableFileError, UnreadableKeysError) as error:
            raise CommandError(str(error)) from error
        except UNREADABLE as error:
            raise CommandError(f"A file cannot be read or written: {error}.") from error
        except ingest.UnauthenticatedError as error:
            raise CommandError("The ingest token is revoked. What was stored stays; run it with another.") from error
        except DatabaseError as error:
            raise CommandError(f"The events could not be stored: {error}. Run it again to go on from here.") from error
        except KeyboardInterrupt as error:
            raise CommandError("Stopped. Run it again to go on from here.", returncode=INTERRUPTED) from error
        self.stdout.write(_summary(file, progress, dry_run=order.dry_run))
        if num_refused := progress.total("refused"):
            raise CommandError(
                f"{counted(num_refused, 'row')} refused; which and why is in {order.refused_path}.",
                returncode=SOME_REFUSED,
            )

    def _run(self, order: Order, *, from_start: bool) -> Progress:
        """Tells of its progress on standard error."""
        progress, began_at = Progress(mark=""), time.monotonic()
        told_at, first = began_at, None
        for step in run(order, from_start=from_start):
            progress = step.progress
            first = progress.rows if first is None else first
            if time.monotonic() - told_at >= SECONDS_BETWEEN_LINES:
                told_at = time.monotonic()
                self.stderr.write(_line(order.path, step, (progress.rows - first) / (told_at - began_at)))
        return progress


def _order(  # noqa: PLR0913 - one keyword for each option of the command
    path: Path,
    *,
    now: datetime,
    format_name: str,
    token: str | None,
    keys: Path | None,
    older: bool,
    dry_run: bool,
    beside: Path | None,
    **_others: Any,
) -> Order:
    said = {}
    if keys is not None:
        with keys.open(encoding="utf-8-sig", newline="") as lines:
            said = read_keys(lines)
    return Order(
        path=path,
        format_name=format_name,
        secret_digest=bytes(_token(token).digest),
        keys=Keys(said),
        organizations=frozenset(Organization.objects.values_list("public_id", flat=True)),
        folder=beside or path.absolute().parent,
        reach=Reach.at(now, invoiced=invoiced_since(oldest_day(now))) if older else None,
        dry_run=dry_run,
    )


def _token(name: str | None) -> IngestToken:
    """The token of this name, or the only one."""
    open_tokens = IngestToken.objects.filter(revoked_at=None).order_by("name")
    found = list(open_tokens.filter(name=name) if name is not None else open_tokens[:2])
    if len(found) == 1:
        return found[0]
    if name is not None:
        raise CommandError(f"No ingest token that may report is called {name}; list_ingest_tokens lists them.")
    if found:
        raise CommandError("Say in whose name the events come: --token NAME; list_ingest_tokens lists them.")
    raise CommandError("There is no ingest token yet: create_ingest_token NAME makes one.")


def _line(path: Path, step: Step, rows_per_second: float) -> str:
    return f"{path.name}: {step.progress.rows:,} rows ({step.share:.0%}), {rows_per_second:,.0f} a second"


def _summary(path: Path, progress: Progress, *, dry_run: bool) -> str:
    taken = "would be accepted, unless they are stored already" if dry_run else "accepted"
    parts = [
        f"{progress.total('accepted'):,} {taken}",
        *([] if dry_run else [f"{progress.total('duplicate'):,} stored already"]),
        f"{progress.total('refused'):,} refused",
        f"{progress.total('ignored'):,} ignored",
    ]
    codes = [f"  {name}: {number:,}" for name, number in sorted(progress.counts.items()) if " " in name]
    return "\n".join([f"{path.name}: {counted(progress.rows, 'row')}; {', '.join(parts)}.", *codes])
