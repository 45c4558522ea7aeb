"""The items of a body: one JSON object, a JSON array, or one JSON object a line (NDJSON), as text, each for itself.

What a body holds is counted in its bytes before anything is made of it: the elements of an array, lines, and escapes cost
Python's time and memory each, and ten kilobytes of gzip hold millions.
"""

import re
from collections.abc import Sequence, Sized
from typing import Final, TypeVar

import msgspec

from metering.intake.formats.events import UnreadableError

T = TypeVar("T")
Some = TypeVar("Some", bound=Sized)
MAX_EVENTS: Final = 10_000
MAX_FIELDS: Final = 40  # more than an event has, with its attributes
MAX_LINES: Final = 2 * MAX_EVENTS  # of which some may be empty
FEW_BYTES: Final = 1024 * 1024
"""Of an array that is read without being counted first: what it makes of every other byte is bearable."""
MAX_BRACKETS: Final = 60 * MAX_EVENTS
# A surrogate that is no half of a pair, as senders make them by cutting text in UTF-16; once escaped backslashes are away.
HIGH: Final = rb"[89abAB][0-9a-fA-F]{2}"
LOW: Final = rb"[c-fC-F][0-9a-fA-F]{2}"
HALF_CHARACTER: Final = re.compile(
    rb"\\u[dD](?:HIGH(?!\\u[dD]LOW)|LOW(?<!\\u[dD]HIGH\\u[dD]LOW))".replace(b"HIGH", HIGH).replace(b"LOW", LOW)
)
MAX_HALVES: Final = 40 * MAX_EVENTS
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
# All up to the next bracket that is not inside a string. Nothing is tried twice, so the time is that of one look at each byte.
TO_BRACKET: Final = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+[\[\]{}]', re.DOTALL)
CONTAINER: Final = b"{}"

_raw_elements: Final = msgspec.json.Decoder(list[msgspec.Raw])


def items(body: bytes, *, lines: bool) -> list[bytes]:
    """The items of a body of any content, in their order; whether they can be read is not looked at.

    `lines` says that the sender declared NDJSON. Raises UnreadableError for a body without items, or with too many.
    """
    text = stripped(body)
    if lines:
        return limited(rows(text, lines=True))
    if text[:1] == b"[":
        return limited(_elements(text))
    return [text] if is_json(text) else limited(rows(text, lines=False))


def stripped(body: bytes) -> bytes:
    """The body without the spaces around it. Raises UnreadableError when nothing is left."""
    text = body.strip()
    if not text:
        raise UnreadableError("empty_body", "The request has no body: send a JSON object, a JSON array or NDJSON.")
    return text


def rows(text: bytes, *, lines: bool) -> list[bytes]:
    """The lines that are not empty; all as one item if it seems to be an object that is written over several lines."""
    if text.count(b"\n") >= MAX_LINES:
        raise UnreadableError("too_many_events", f"A request can have at most {MAX_LINES:,} lines.", 413)
    found = [row for row in text.split(b"\n") if row.strip()]
    if len(found) > 1 and not lines and not is_json(found[0]):
        return [text]
    return found


def raw_elements(text: bytes) -> list[bytes]:
    """The elements of an array that has few commas for its size. Raises UnreadableError."""
    try:
        found = _raw_elements.decode(text)
    except UNREADABLE:
        try:
            found = _raw_elements.decode(marked(text))
        except (msgspec.DecodeError, RecursionError) as error:
            raise UnreadableError("invalid_json", f"The body is not valid JSON: {error}.") from error
    return [bytes(raw) for raw in limited(found)]


def marked(text: bytes) -> bytes:
    """Half characters become invalid UTF-8: the fault of the event that has them, where the parser would give up on all."""
    num_halves = text.count(rb"\ud") + text.count(rb"\uD")
    if not num_halves:
        return text
    if num_halves > MAX_HALVES:
        raise UnreadableError("invalid_json", f"The body has {num_halves:,} escaped halves of characters.")
    without_pairs = text.replace(b"\xfe", b"\xff").replace(rb"\\", b"\xfe\xfe")  # \xfe is free: never valid UTF-8
    return HALF_CHARACTER.sub(b"\xff", without_pairs).replace(b"\xfe\xfe", rb"\\")


def patiently_decoded(decoder: "msgspec.json.Decoder[T]", text: bytes) -> T:
    """What is read of a text, also when one that is not read was cut within a character."""
    try:
        return decoder.decode(text)
    except msgspec.ValidationError:
        raise
    except UNREADABLE:
        return decoder.decode(marked(text))


def limited(found: Some) -> Some:
    """The same, unless there are too many: then it raises UnreadableError."""
    if len(found) > MAX_EVENTS:
        raise too_many(f"{MAX_EVENTS:,} events, not {len(found):,}")
    return found


def too_many(most: str) -> UnreadableError:
    """For a request with more than it can hold."""
    return UnreadableError("too_many_events", f"A request can hold at most {most}.", 413)


def is_json(text: bytes) -> bool:
    """Whether the text is one value of JSON."""
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except UNREADABLE:
        return False
    return True


def _elements(text: bytes) -> list[bytes]:
    """The elements of an array. Many commas may be those of prompts and vectors: then they are told apart by their brackets."""
    if len(text) <= FEW_BYTES or text.count(b",") <= MAX_EVENTS * MAX_FIELDS:
        return raw_elements(text)
    containers, rest = _containers(text)
    if rest.count(b",") >= MAX_EVENTS:
        raise too_many(f"{MAX_EVENTS:,} events")
    following = iter(containers)
    return [next(following) if element == CONTAINER else element for element in raw_elements(rest)]


def _containers(text: bytes) -> tuple[Sequence[bytes], bytes]:
    """(The objects and arrays that are elements of an array, the array with an empty object in the place of each)."""
    found: list[bytes] = []
    rest = bytearray()
    depth = end = start = 0
    for _ in range(MAX_BRACKETS):
        match = TO_BRACKET.match(text, end)
        if match is None:
            return found, bytes(rest + text[end:])
        before, end = end, match.end()
        if text[end - 1] in b"[{":
            depth += 1
            start = end - 1 if depth == 2 else start
            if depth <= 2:
                rest += text[before : end - (depth == 2)]
        else:
            depth -= 1
            if depth == 1:
                found.append(text[start:end])
                rest += CONTAINER
            elif depth < 1:
                return found, bytes(rest + text[before:])
    raise too_many(f"{MAX_BRACKETS:,} objects and arrays")
