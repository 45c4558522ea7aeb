"""Our own format: one JSON object, a JSON array, or one JSON object a line (NDJSON)."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import msgspec
from django.conf import settings

from metering.intake.formats.events import Correction, Event, Item, PlainEvent, Refusal, UnreadableError
from metering.intake.formats.items import (
    MAX_EVENTS,
    MAX_FIELDS,
    UNREADABLE,
    limited,
    raw_elements,
    rows,
    stripped,
    too_many,
)
from metering.measures import MEASURES
from metering.price_words import DIMENSIONS

CORRECTION_MARK: Final = re.compile(rb'"corrects"\s*:')
NOTHINGS: Final = re.compile(rb':\s*(?:null|"")')
OPTIONAL_TEXTS: Final = frozenset(
    {"model", "api_key_id", "organization", "project", "service_tier", "corrects", *DIMENSIONS}
)
OPTIONAL: Final = OPTIONAL_TEXTS | {"attributes", "batch", *MEASURES}


class Names(msgspec.Struct):
    """What tells an event from others, whatever else is wrong with it."""

    id: Any = None
    api_key_id: Any = None


_plain_events = msgspec.json.Decoder(list[PlainEvent])
_events = msgspec.json.Decoder(list[Event])
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


def decode(body: bytes, *, lines: bool) -> Sequence[Item]:
    """The events of a request body in their order, with a Refusal in the place of each that cannot be read.

    `lines` says that the sender declared NDJSON. Raises UnreadableError for a body that is no JSON, or too many events.
    """
    text = stripped(body)
    if text[:1] == b"[" and not lines:
        return _decode_array(text)
    if not lines:
        try:
            return [_event.decode(text)]
        except UNREADABLE:
            pass  # one event with a fault, a correction, or several lines
    return _decode_lines(text, lines=lines)


def _decode_array(text: bytes) -> Sequence[Item]:
    """In one typed pass when all are plain, or when all is well; else one by one, to tell the good events from the bad."""
    most = MAX_EVENTS * MAX_FIELDS
    if len(text) > most and text.count(b",") > most:  # a shorter text has fewer: counting takes a fifth of reading
        raise too_many(f"{MAX_EVENTS:,} events of {MAX_FIELDS} fields")
    for decoder in _plain_events, _events:
        with suppress(*UNREADABLE):
            return limited(decoder.decode(text))
    return limited([decode_one(element) for element in raw_elements(text)])


def _decode_lines(text: bytes, *, lines: bool) -> list[Item]:
    events: list[Item] = [decode_one(row) for row in limited(rows(text, lines=lines))]
    if len(events) == 1 and isinstance(events[0], Refusal) and events[0].code in ("invalid_json", "invalid_utf8"):
        raise UnreadableError(events[0].code, events[0].message)
    return events


def decode_one(text: bytes) -> Event | Correction | Refusal:
    """The event that is this JSON object."""
    found = _read_one(text)
    return named(found, text) if isinstance(found, Refusal) else found


def named(refusal: Refusal, text: bytes) -> Refusal:
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
        return refusal_of(problem)
    try:
        fields = _fields.decode(text)
        said = {name: value for name, value in fields.items() if not _says_nothing(name, bytes(value))}
        return (_correction if "corrects" in said else _event).decode(msgspec.json.encode(said))
    except msgspec.ValidationError as error:
        return refusal_of(str(error))


def _says_nothing(name: str, value: bytes) -> bool:
    return (value == b"null" and name in OPTIONAL) or (value == b'""' and name in OPTIONAL_TEXTS)


def refusal_of(problem: str) -> Refusal:
    """msgspec's sentence, with the code that belongs to the field it is about."""
    if problem.startswith("Object missing required field"):
        return Refusal("missing_field", f"{problem}.")
    if problem.startswith("Object contains unknown field"):
        return Refusal("unknown_field", f"{problem}.")
    path = re.search(r"`\$\.(\w+)`$", problem)
    if path is None:
        return Refusal("invalid_event", f"{problem}.")
    return Refusal(_FIELD_CODES.get(path[1], "invalid_field"), f"{problem.replace('$.', '')}.")
