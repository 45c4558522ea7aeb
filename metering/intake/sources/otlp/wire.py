"""The framing of protobuf, walked through without making anything of it (protobuf.dev/programming-guides/encoding).

So a body is known to be whole, and to hold no more than it may, before its messages are parsed: two bytes of it can be a message
that takes a hundred in memory.
"""

from collections.abc import Iterator
from typing import Final

LENGTH: Final = 2
MAX_VARINT_BYTES: Final = 10


class WireError(ValueError):
    """The bytes are no message, or not all of one."""


def parts(body: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(number, first byte, byte behind) of each text or message that is a field of the message in body[at:end].

    Raises WireError.
    """
    try:
        while at < end:
            tag = body[at]
            at += 1
            if tag > 127:
                tag, at = _varint(body, at - 1)
            kind = tag & 7
            if kind == LENGTH:
                length = body[at]
                at += 1
                if length > 127 > body[at]:  # most messages have a length of two bytes
                    length += (body[at] - 1) << 7
                    at += 1
                elif length > 127:
                    length, at = _varint(body, at - 1)
                stop = at + length
                if stop > end:
                    break
                yield tag >> 3, at, stop
                at = stop
            else:
                at = _behind(body, at, kind)
    except IndexError:
        raise WireError from None
    if at != end:
        raise WireError


def _behind(body: bytes, at: int, kind: int) -> int:
    """Where the field ends that begins here. Groups are long out of use, and OTLP never had them."""
    match kind:
        case 0:
            return _varint(body, at)[1]
        case 1:
            return at + 8
        case 5:
            return at + 4
    raise WireError


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """(the number that begins here, where it ends)."""
    byte = body[at]
    if byte < 128:
        return byte, at + 1
    found = shift = 0
    for place in range(at, at + MAX_VARINT_BYTES):
        byte = body[place]
        found |= (byte & 127) << shift
        if byte < 128:
            return found, place + 1
        shift += 7
    raise WireError
