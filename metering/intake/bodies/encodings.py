"""Packed bodies: gzip (RFC 1952) and zstd (RFC 8878), unpacked so far as is asked for, and never further.

A few bytes of either may hold gigabytes. A zstd frame also names the memory that is needed to unpack it; more than the 8 MiB
that RFC 9659 allows for HTTP is refused.
"""

import sys
import zlib
from collections.abc import Mapping
from typing import Any, Final, Protocol

from metering.intake.formats.events import UnreadableError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GZIP_BITS: Final = zlib.MAX_WBITS | 16
ZSTD_OPTIONS: Final[Mapping[int, int]] = {zstd.DecompressionParameter.window_log_max: 23}


class Unpacker(Protocol):
    """Unpacks one body, in as many steps as its reader likes."""

    def more(self, most: int) -> bytes:
        """The next bytes, `most` at most; nothing when there are no more. Raises UnreadableError."""

    def require_end(self) -> None:
        """Raises UnreadableError unless all of the body was read, and it was whole."""


def unpacker_of(environ: Mapping[str, Any], packed: bytes) -> Unpacker:
    """What unpacks a body by its Content-Encoding. Raises UnreadableError for one that is not known."""
    match environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower():
        case "identity" | "":
            return Plain(packed)
        case "gzip":
            return Gzip(packed)
        case "zstd":
            return Zstd(packed)
    raise UnreadableError("unknown_encoding", "Content-Encoding must be gzip, zstd or identity.", 415)


class Plain:
    """A body that is not packed. It is in memory, so its reader gets all of it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def more(self, most: int) -> bytes:  # noqa: ARG002 - the size was limited when the body came
        body, self._body = self._body, b""
        return body

    def require_end(self) -> None:
        """It was."""


class Gzip:
    """One gzip member."""

    def __init__(self, packed: bytes) -> None:
        self._packed = packed
        self._unpacker = zlib.decompressobj(wbits=GZIP_BITS)

    def more(self, most: int) -> bytes:
        try:
            found = self._unpacker.decompress(self._packed, most)
        except zlib.error as error:
            raise UnreadableError("invalid_gzip", "The body is not valid gzip.") from error
        self._packed = self._unpacker.unconsumed_tail
        return found

    def require_end(self) -> None:
        if not self._unpacker.eof or self._unpacker.unused_data:
            raise UnreadableError("invalid_gzip", "The gzip body must be one complete member.")


class Zstd:
    """One zstd frame."""

    def __init__(self, packed: bytes) -> None:
        self._packed = packed
        self._unpacker = zstd.ZstdDecompressor(options=ZSTD_OPTIONS)

    def more(self, most: int) -> bytes:
        if self._unpacker.eof:
            return b""
        packed, self._packed = self._packed, b""  # the unpacker keeps what it has not used
        try:
            return self._unpacker.decompress(packed, most)
        except zstd.ZstdError as error:
            raise UnreadableError(
                "invalid_zstd", "The body is not valid zstd, or needs more than 8 MiB of memory (a window of 2^23)."
            ) from error

    def require_end(self) -> None:
        if not self._unpacker.eof or self._unpacker.unused_data:
            raise UnreadableError("invalid_zstd", "The zstd body must be one complete frame.")
