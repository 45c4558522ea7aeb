import argparse
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from django.core.management.base import BaseCommand, CommandError

from metering.intake.traces import Sender, TraceError, events, replay

REJECTED: Final = "rejected: "
ANSWERS: Final = ("accepted", "duplicates", "rejected")


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


class Command(BaseCommand):
    help = "Send a request trace (TIMESTAMP,ContextTokens,GeneratedTokens) to a running server. Safe to run twice."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--url", required=True, help="address of the server, as http://127.0.0.1:8000")
        parser.add_argument("--token", required=True, help="ingest token, or the secret of the API key")
        parser.add_argument("--api-key-id", required=True, help="public id of the key that made the requests")
        parser.add_argument("--model", required=True)
        parser.add_argument("--start", type=_utc, required=True, metavar="DATE", help="UTC day of the first request")
        parser.add_argument("--batch", type=int, default=1000, help="events in a request (default 1000)")
        parser.add_argument("--speed", type=float, help="times the trace's own pace (default: as fast as it goes)")

    def handle(self, *, file: Path, batch: int, speed: float | None, **options: str) -> None:
        try:
            counts = self._replay(file, batch, speed, options)
        except (TraceError, OSError) as error:
            raise CommandError(str(error)) from error
        summary = (
            f"{counts['accepted']:,} accepted, {counts['duplicates']:,} duplicates, {counts['rejected']:,} rejected"
        )
        self.stdout.write(f"{file.name}: {summary}")
        if counts["rejected"]:
            codes = sorted((name.removeprefix(REJECTED), n) for name, n in counts.items() if name.startswith(REJECTED))
            raise CommandError(f"Some events were rejected: {', '.join(f'{code} ({n:,})' for code, n in codes)}.")

    def _replay(self, file: Path, batch: int, speed: float | None, options: dict[str, str]) -> Counter[str]:
        trace = list(
            events(file, api_key_id=options["api_key_id"], model=options["model"], start=options["start"])  # type: ignore[arg-type]
        )
        counts: Counter[str] = Counter()
        with closing(Sender(options["url"], options["token"])) as sender:
            for counts in replay(sender, trace, batch_size=max(1, batch), speed=speed):
                self.stderr.write(
                    f"\r{file.name}: {sum(counts[name] for name in ANSWERS):,} of {len(trace):,} events", ending=""
                )
                self.stderr.flush()
        self.stderr.write("")
        return counts
