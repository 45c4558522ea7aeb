"""Files as people keep them: as they are, packed with gzip, or with zstd; told apart by their first bytes."""

import gzip
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
UNREADABLE: Final = (OSError, EOFError, zstd.ZstdError)
"""What reading such a file raises."""

Lines = io.BufferedReader
"""A stream of what a file holds, that can be looked into before it is read."""


@contextmanager
def unpacked(path: Path) -> Iterator[tuple[Lines, Callable[[], float]]]:
    """A stream of what the file holds, read a piece at a time, and a function that says what share of the file was read."""
    with path.open("rb") as file, _unpacked(file) as lines:
        size = max(1, path.stat().st_size)
        yield lines, lambda: file.tell() / size


def _unpacked(file: Lines) -> Lines:
    first = file.peek(4)[:4]
    if first.startswith(GZIP):
        return io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=file)))
    return io.BufferedReader(cast("io.RawIOBase", zstd.ZstdFile(file))) if first == ZSTD else file
