"""Our own format: one JSON object, a JSON array, or one JSON object a line (NDJSON).

What a body holds is counted in its bytes before anything is made of it: the elements of an array, lines, and escapes cost
Python's time and memory each, and ten kilobytes of gzip hold millions.
"""

import re
from dataclasses import replace
from typing import Any, Final, TypeVar

import msgspec
from django.conf import settings

from metering.intake.formats.events import Correction, Event, Refusal, UnreadableError
from metering.measures import MEASURES
from metering.price_words import DIMENSIONS

T = TypeVar("T")
MAX_EVENTS: Final = 10_000
CORRECTION_MARK: Final = re.compile(rb'"corrects"\s*:')
MAX_FIELDS: Final = 40  # more than an event has, with its attributes
MAX_LINES: Final = 2 * MAX_EVENTS  # of which some may be empty
# A surrogate that is no half of a pair, as senders make them by cutting text in UTF-16; once escaped backslashes are away.
HIGH: Final = rb"[89abAB][0-9a-fA-F]{2}"
LOW: Final = rb"[c-fC-F][0-9a-fA-F]{2}"
HALF_CHARACTER: Final = re.compile(
    rb"\\u[dD](?:HIGH(?!\\u[dD]LOW)|LOW(?<!\\u[dD]HIGH\\u[dD]LOW))".replace(b"HIGH", HIGH).replace(b"LOW", LOW)
)
MAX_HALVES: Final = 40 * MAX_EVENTS
NOTHINGS: Final = re.compile(rb':\s*(?:null|"")')
OPTIONAL_TEXTS: Final = frozenset(
    {"model", "api_key_id", "organization", "project", "service_tier", "corrects", *DIMENSIONS}
)
OPTIONAL: Final = OPTIONAL_TEXTS | {"attributes", "batch", *MEASURES}
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Names(msgspec.Struct):
    """What tells an event from others, whatever else is wrong with it."""

    id: Any = None
    api_key_id: Any = None


_events = msgspec.json.Decoder(list[Event])
_raw_events = msgspec.json.Decoder(list[msgspec.Raw])
_event = msgspec.json.Decoder(Event)
_correction = msgspec.json.Decoder(Correction)
_names = msgspec.json.Decoder(Names)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_FIELD_CODES: Final = {
    "id": "invalid_id",
    "timestamp": "invalid_timestamp",
    "usage_type": "unknown_usage_type",
    "model": "invalid_model",
    "corrects": "invalid_id",
    "project": "unknown_project",
    **dict.fromkeys(MEASURES, "invalid_measure"),
}


def decode(body: bytes, *, lines: bool) -> list[Event | Correction | Refusal]:
    """The events of a request body in their order, with a Refusal in the place of each that cannot be read.

    `lines` says that the sender declared NDJSON. Raises UnreadableError for a body that is no JSON, or too many events.
    """
    text = body.strip()
    if not text:
        raise UnreadableError("empty_body", "The request has no body: send a JSON object, a JSON array or NDJSON.")
    if text[:1] == b"[" and not lines:
        return _decode_array(text)
    if not lines:
        try:
            return [_event.decode(text)]
        except UNREADABLE:
            pass  # one event with a fault, a correction, or several lines
    return _decode_lines(text, lines=lines)


def _decode_array(text: bytes) -> list[Event | Correction | Refusal]:
    """In one typed pass when all is well; else one by one, to tell the good events from the bad."""
    if text.count(b",") > MAX_EVENTS * MAX_FIELDS:
        raise UnreadableError(
            "too_many_events", f"A request can hold at most {MAX_EVENTS:,} events of {MAX_FIELDS} fields.", 413
        )
    try:
        events: list[Event | Correction | Refusal] = _events.decode(text)  # type: ignore[assignment]
    except UNREADABLE:
        try:
            events = [_decode_one(bytes(raw)) for raw in _limited(_raw_events.decode(_marked(text)))]
        except (msgspec.DecodeError, RecursionError) as error:
            raise UnreadableError("invalid_json", f"The body is not valid JSON: {error}.") from error
    return _limited(events)


def _marked(text: bytes) -> bytes:
    """Half characters become invalid UTF-8: the fault of the event that has them, where the parser would give up on all."""
    num_halves = text.count(rb"\ud") + text.count(rb"\uD")
    if not num_halves:
        return text
    if num_halves > MAX_HALVES:
        raise UnreadableError("invalid_json", f"The body has {num_halves:,} escaped halves of characters.")
    without_pairs = text.replace(b"\xfe", b"\xff").replace(rb"\\", b"\xfe\xfe")  # \xfe is free: never valid UTF-8
    return HALF_CHARACTER.sub(b"\xff", without_pairs).replace(b"\xfe\xfe", rb"\\")


def _decode_lines(text: bytes, *, lines: bool) -> list[Event | Correction | Refusal]:
    if text.count(b"\n") >= MAX_LINES:
        raise UnreadableError("too_many_events", f"A request can have at most {MAX_LINES:,} lines.", 413)
    rows = [row for row in text.split(b"\n") if row.strip()]
    if len(rows) > 1 and not lines and not _is_json(rows[0]):
        rows = [text]  # one object written over several lines
    events = [_decode_one(row) for row in _limited(rows)]
    if len(events) == 1 and isinstance(events[0], Refusal) and events[0].code in ("invalid_json", "invalid_utf8"):
        raise UnreadableError(events[0].code, events[0].message)
    return events


def _decode_one(text: bytes) -> Event | Correction | Refusal:
    found = _read_one(text)
    return _named(found, text) if isinstance(found, Refusal) else found


def _named(refusal: Refusal, text: bytes) -> Refusal:
    """With the names that the event gives itself and its key, if these can be read."""
    try:
        names = _names.decode(text)
    except UNREADABLE:
        return refusal
    event_id, key = names.id, names.api_key_id
    return replace(
        refusal, event_id=event_id if isinstance(event_id, str) else "", key=key if isinstance(key, str) else ""
    )


def _read_one(text: bytes) -> Event | Correction | Refusal:
    if len(text) > settings.USAGE_EVENT_MAX_TEXT_BYTES:
        return Refusal("event_too_large", f"An event can have at most {settings.USAGE_EVENT_MAX_TEXT_BYTES:,} bytes.")
    decoder = _correction if CORRECTION_MARK.search(text) else _event
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        return _decode_without_nothings(text, str(error))
    except (msgspec.DecodeError, RecursionError) as error:
        return Refusal("invalid_json", f"This is not valid JSON: {error}.")
    except UnicodeDecodeError:
        return Refusal("invalid_utf8", "The text of this event is not valid UTF-8.")


def _decode_without_nothings(text: bytes, problem: str) -> Event | Correction | Refusal:
    """The event as it is without its optional fields that say nothing; many senders write every field they know."""
    if not NOTHINGS.search(text):
        return _refusal(problem)
    try:
        fields = _fields.decode(text)
        said = {name: value for name, value in fields.items() if not _says_nothing(name, bytes(value))}
        return (_correction if "corrects" in said else _event).decode(msgspec.json.encode(said))
    except msgspec.ValidationError as error:
        return _refusal(str(error))


def _says_nothing(name: str, value: bytes) -> bool:
    return (value == b"null" and name in OPTIONAL) or (value == b'""' and name in OPTIONAL_TEXTS)


def _refusal(problem: str) -> Refusal:
    """msgspec's sentence, with the code that belongs to the field it is about."""
    if problem.startswith("Object missing required field"):
        return Refusal("missing_field", f"{problem}.")
    if problem.startswith("Object contains unknown field"):
        return Refusal("unknown_field", f"{problem}.")
    path = re.search(r"`\$\.(\w+)`$", problem)
    if path is None:
        return Refusal("invalid_event", f"{problem}.")
    return Refusal(_FIELD_CODES.get(path[1], "invalid_field"), f"{problem.replace('$.', '')}.")


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _limited(events: list[T]) -> list[T]:
    if len(events) > MAX_EVENTS:
        raise UnreadableError(
            "too_many_events", f"A request can hold at most {MAX_EVENTS:,} events, not {len(events):,}.", 413
        )
    return events
