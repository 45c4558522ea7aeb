"""Files of history, and what `import_events` says of them."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from django.core.management import CommandError, call_command

NDJSON: Final = "events.ndjson"


def run(path: Path, form: str = "native", *arguments: str) -> tuple[int, str]:
    """(exit code, what it says)."""
    out = io.StringIO()
    try:
        call_command("import_events", str(path), "--format", form, *arguments, stdout=out, stderr=io.StringIO())
    except CommandError as error:
        return error.returncode, f"{out.getvalue()}{error}"
    return 0, out.getvalue()


def lines_of(events: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(event, default=lambda at: at.isoformat()).encode() + b"\n" for event in events)


def write(folder: Path, events: Iterable[dict[str, Any]], name: str = NDJSON) -> Path:
    path = folder / name
    path.write_bytes(lines_of(events))
    return path


def refused(path: Path) -> list[tuple[int, str, str]]:
    """(line, id, code) of what is in the file of refused rows; each has a sentence."""
    with (path.parent / f"{path.name}.refused.csv").open(encoding="utf-8", newline="") as lines:
        found = list(csv.DictReader(lines))
    assert all(row["message"].endswith(".") for row in found)
    return [(int(row["line"]), row["id"], row["code"]) for row in found]


def write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
