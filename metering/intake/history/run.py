"""A file of usage → stored events: row by row, a chunk to a transaction, with what is done written beside the file.

The events go through the checks, the routing and the storage that every event goes through, and are counted as the way in
Import. A chunk that is stored and not yet noted as done, because the program was killed, is stored already the next time.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from accounts.spreadsheets import harmless
from apikeys import directory
from apikeys.directory import Caller
from apikeys.verification import current_directory
from metering.ingestion_models import Source
from metering.intake import ingest
from metering.intake.admission import Admission, Window
from metering.intake.bodies.files import unpacked
from metering.intake.copy_rows import Outcome
from metering.intake.formats.events import Correction, Event, Item, Refusal
from metering.intake.history import progress as progresses
from metering.intake.history.formats import FORMATS, Format, Reading
from metering.intake.history.keys import Keys
from metering.intake.history.progress import Progress
from metering.intake.history.reach import Reach
from metering.intake.history.rows import Row, rows
from metering.intake.received import received, shown

CHUNK: Final = 2_000
HEADER: Final = ("line", "id", "key", "code", "message")


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be imported, and how. `organizations` are the public ids of all here.

    `secret_digest` is that of the ingest token in whose name it comes; nothing is stored in a `dry_run`.
    """

    path: Path
    format_name: str
    secret_digest: bytes
    keys: Keys
    organizations: frozenset[str]
    folder: Path
    reach: Reach | None = None
    dry_run: bool = False

    @property
    def progress_path(self) -> Path:
        return self.folder / f"{self.path.name}.import.json"

    @property
    def refused_path(self) -> Path:
        """Refused rows by their line, without what was in them."""
        return self.folder / f"{self.path.name}.{'dry-run-' if self.dry_run else ''}refused.csv"


@dataclass(frozen=True, slots=True)
class Step:
    """How far it is: `share` of the file's bytes."""

    progress: Progress
    share: float


def run(order: Order, *, from_start: bool) -> Iterator[Step]:
    """Import what is left of the file, and yield after each chunk.

    Raises rows.UnreadableFileError, ingest.UnauthenticatedError, or django.db.OperationalError; it may be run again after any.
    """
    form = FORMATS[order.format_name]
    progress = _begin(order, from_start=from_start)
    with unpacked(order.path) as (lines, share), order.refused_path.open("ab") as refused:
        refused.seek(refused.truncate(progress.refused_bytes))
        following = islice(rows(lines, form.columns), progress.rows, None)
        while chunk := _read(order, form, following):
            outcomes, counts = _take(order, chunk)
            _write_refused(refused, chunk, outcomes)
            progress.add(counts)
            progress.rows += len(chunk)
            progress.refused_bytes = refused.tell()
            if not order.dry_run:
                progresses.save(order.progress_path, progress)
            yield Step(progress, share())
    _end(order, progress)


def _begin(order: Order, *, from_start: bool) -> Progress:
    mark = progresses.mark_of(order.path, order.format_name)
    if from_start or order.dry_run:
        return Progress(mark=mark)
    return progresses.load(order.progress_path, mark)


def _end(order: Order, progress: Progress) -> None:
    """Nothing is left beside the file but refused rows, if there are any."""
    if not order.dry_run:
        order.progress_path.unlink(missing_ok=True)
    if not progress.refused_bytes:
        order.refused_path.unlink()


def _read(order: Order, form: Format, following: Iterator[Row]) -> list[tuple[int, Reading]]:
    """(line, reading) of the next rows, with our ids of their keys."""
    found = [
        (
            row.line,
            Reading((row.found,)) if isinstance(row.found, Refusal) else form.read(row.found, order.organizations),
        )
        for row in islice(following, CHUNK)
    ]
    events = [event for _, reading in found for event in reading.events if isinstance(event, Event | Correction)]
    order.keys.learn({event.api_key_id for event in events})
    for event in events:
        event.api_key_id = order.keys.id_of(event.api_key_id)
    return found


def _take(order: Order, chunk: Sequence[tuple[int, Reading]]) -> tuple[list[Outcome], Counter[str]]:
    """One outcome for each event, and all counts."""
    readings = [reading for _, reading in chunk]
    events = [event for reading in readings for event in reading.events]
    ignored = Counter(reading.ignored for reading in readings if not reading.events)
    changes = Counter(f"{order.format_name}/{rule}" for reading in readings for rule in reading.changes)
    caller = directory.patiently(lambda: directory.remembered().caller(order.secret_digest))
    if order.dry_run:
        outcomes = _rehearsed(events, caller, order.reach)
    else:
        outcomes = ingest.store(events, secret_digest=order.secret_digest, reach=order.reach)
        received.note(Source.IMPORT, caller, outcomes, events=events, ignored=ignored, normalised=changes)
    counts = Counter(f"refused {one.code}" if isinstance(one, Refusal) else one for one in outcomes)
    counts.update({f"ignored {rule}": number for rule, number in ignored.items()})
    counts.update({f"normalised {rule}": number for rule, number in changes.items()})
    return outcomes, counts


def _rehearsed(events: Sequence[Item], caller: Caller | None, reach: Reach | None) -> list[Outcome]:
    """What would become of the events, as far as can be told without storing them: whether they are stored already cannot."""
    known, now = current_directory()
    if caller is None or not caller.may_call(now):
        raise ingest.UnauthenticatedError

    def outcomes() -> list[Outcome]:
        admission = Admission(known, caller, window=replace(Window.at(now), reach=reach), batch_id=0)
        admission.admit_all(events)
        return admission.outcomes

    return directory.patiently(outcomes)


def _write_refused(file: BinaryIO, chunk: Sequence[tuple[int, Reading]], outcomes: Sequence[Outcome]) -> None:
    text = io.StringIO()
    lines = csv.writer(text)
    taken = [(line, event) for line, reading in chunk for event in reading.events]
    for (line, event), outcome in zip(taken, outcomes, strict=True):
        if isinstance(outcome, Refusal):
            lines.writerow([line, *_described(event, outcome)])
    if text.tell():
        head = "" if file.tell() else f"{','.join(HEADER)}\r\n"
        file.write((head + text.getvalue()).encode())
        file.flush()


def _described(event: Item, refusal: Refusal) -> tuple[str, str, str, str]:
    """(id, key, code, sentence)."""
    event_id = refusal.event_id or getattr(event, "id", "")
    key = refusal.key or getattr(event, "api_key_id", None)
    return (
        harmless(shown.id_of(event_id)),
        shown.key_name(key),
        refusal.code,
        harmless(shown.sentence(refusal.message)),
    )
