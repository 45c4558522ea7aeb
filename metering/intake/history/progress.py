"""How far an import is, kept beside its file, so that one that was stopped goes on where it was."""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec


class Progress(msgspec.Struct, kw_only=True):
    """`rows` are done, whatever became of them; the refused ones are in the first `refused_bytes` of the other file.

    `mark` is what another file, or the same one after a change, would not have.
    """

    mark: str
    rows: int = 0
    refused_bytes: int = 0
    counts: dict[str, int] = {}

    def add(self, counts: Counter[str]) -> None:
        for name, number in counts.items():
            self.counts[name] = self.counts.get(name, 0) + number

    def total(self, kind: str) -> int:
        """All that is counted under `kind`, with or without a code behind it."""
        return sum(number for name, number in self.counts.items() if name.partition(" ")[0] == kind)


def mark_of(path: Path, *said: Any) -> str:
    """Of the file as it is now, and of how it is read."""
    stat = path.stat()
    return " ".join(map(str, (stat.st_size, stat.st_mtime_ns, *said)))


def load(path: Path, mark: str) -> Progress:
    """Where the import with this mark was stopped; its beginning if it was not, or was of something else."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Progress)
    except (FileNotFoundError, msgspec.DecodeError):
        return Progress(mark=mark)
    return found if found.mark == mark else Progress(mark=mark)


def save(path: Path, progress: Progress) -> None:
    """In one step: a reader sees the whole of it or what was before."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(msgspec.json.encode(progress))
    new.replace(path)
