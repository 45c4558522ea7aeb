"""`ExportTraceServiceRequest` in protobuf → spans."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings
from google.protobuf.message import DecodeError

from metering.intake.formats.events import UnreadableError
from metering.intake.formats.items import MAX_EVENTS, too_many
from metering.intake.sources.otlp import messages
from metering.intake.sources.otlp.names import Said, meaning_of, said
from metering.intake.sources.otlp.remembered import REMEMBERED_BYTES, Remembered
from metering.intake.sources.otlp.shapes import Raws, Shapes
from metering.intake.sources.otlp.span import (
    MAX_ATTRIBUTES,
    MAX_REMEMBERED_WORDS,
    NO_WORDS,
    Gathered,
    Owner,
    Owners,
    Span,
    Words,
    gathered,
    unreadable,
    words_of,
)
from metering.intake.sources.otlp.wire import WireError, parts

TAG_OF_ATTRIBUTE: Final = b"J"
LONG_TAG_OF_ATTRIBUTE: Final = b"\xca"
ROOM_FOR_ATTRIBUTES: Final = 2 * MAX_ATTRIBUTES
"""Bytes that so many attributes have at least: a span of no more need not be looked through for their number."""
Place = tuple[int, int]


def spans(body: bytes, owner: Owner) -> list[Span]:
    """The spans of a request, in their order; `owner` is what its headers say. Raises UnreadableError."""
    most, shapes = settings.FOREIGN_ITEM_MAX_BYTES, Shapes()
    try:
        found = [
            _span(body[at:end], most, scope, of_resource, shapes)
            for of_resource, scope, places in _scopes(body, owner)
            for at, end in places
        ]
    except (WireError, DecodeError) as error:
        raise UnreadableError(
            "invalid_protobuf", "The body is no ExportTraceServiceRequest, or not all of one."
        ) from error
    return found


def _scopes(body: bytes, owner: Owner) -> list[tuple[Owners, str, list[Place]]]:
    """Whose the spans of each scope are, the scope's name, and where its spans are in the body."""
    found: list[tuple[Owners, str, list[Place]]] = []
    num_spans = 0
    for resource_spans in _fields(body, (0, len(body)), messages.RESOURCE_SPANS)[0]:
        resources, scopes = _fields(body, resource_spans, messages.RESOURCE, messages.SCOPE_SPANS)
        of_resource = _owners(body, resources, owner)
        for scope_spans in scopes:
            names, places = _fields(body, scope_spans, messages.SCOPE, messages.SPANS)
            num_spans += len(places)
            if num_spans > MAX_EVENTS or len(found) > MAX_EVENTS:
                raise too_many(f"{MAX_EVENTS:,} spans")
            found.append((of_resource, _scope(body, names), places))
    return found


def _fields(body: bytes, place: Place, *numbers: int) -> list[list[Place]]:
    """Where the fields of these numbers are in a message, for each number. Raises UnreadableError if they are too many."""
    found: dict[int, list[Place]] = {number: [] for number in numbers}
    for count, (number, at, end) in enumerate(parts(body, *place)):
        if count > MAX_EVENTS:
            raise too_many(f"{MAX_EVENTS:,} spans, or as many groups of them")
        if number in found:
            found[number].append((at, end))
    return list(found.values())


def _owners(body: bytes, resources: Iterable[Place], owner: Owner) -> Owners:
    attributes: list[bytes] = []
    for at, end in resources:
        for count, _ in enumerate(parts(body, at, end)):
            if count >= MAX_ATTRIBUTES:
                raise too_many(f"{MAX_ATTRIBUTES:,} attributes of a resource")
        attributes += messages.Resource.FromString(body[at:end]).attributes
    return Owners(owner.said(gathered(map(_said, attributes)).words.own))


def _scope(body: bytes, names: list[Place]) -> str:
    if not names:
        return ""
    at, end = names[-1]
    name: bytes = messages.Scope.FromString(body[at:end]).name
    return name.decode(errors="replace")


def _span(text: bytes, most: int, scope: str, owners: Owners, shapes: Shapes) -> Span:
    if len(text) > most:
        return unreadable("event_too_large", f"A span can have at most {most:,} bytes.", owners.of(NO_WORDS))
    try:
        if len(text) > ROOM_FOR_ATTRIBUTES and _has_too_many(text):
            return unreadable(
                "too_many_attributes", f"A span can have at most {MAX_ATTRIBUTES:,} attributes.", owners.of(NO_WORDS)
            )
        return _read(messages.Span.FromString(text), scope, owners, shapes)
    except UnicodeDecodeError:
        return unreadable("invalid_utf8", "An attribute of this span is not valid UTF-8.", owners.of(NO_WORDS))
    except (WireError, DecodeError):
        return unreadable("invalid_span", "This span cannot be read.", owners.of(NO_WORDS))


def _has_too_many(text: bytes) -> bool:
    if text.count(TAG_OF_ATTRIBUTE) + text.count(LONG_TAG_OF_ATTRIBUTE) <= MAX_ATTRIBUTES:
        return False
    return any(count >= MAX_ATTRIBUTES for count, _ in enumerate(parts(text, 0, len(text))))


def _read(span: Any, scope: str, owners: Owners, shapes: Shapes) -> Span:
    counts, response_id, words = _gathered(span.attributes[:], shapes)
    trace_id, parent_id = span.trace_id, span.parent_span_id
    return Span(
        trace_id + span.span_id,
        trace_id + parent_id if parent_id else b"",
        scope,
        datetime.fromtimestamp(span.end_time_unix_nano // 1000 / 1e6, UTC),
        span.status.code == messages.ERROR,
        counts,
        response_id,
        words,
        owners.of(words),
    )


def _gathered(raws: Raws, shapes: Shapes) -> Gathered:
    """As `gathered` of what each says. Raises DecodeError or UnicodeDecodeError."""
    shape = shapes.of(raws)
    if shape is None:
        return gathered(map(_said, raws))
    counts = {}
    for place in shape.counts:
        if (said := _counts[raws[place]]) is not None:
            counts[said.field] = said.value
    response_id = ""
    for place in shape.response_ids:
        response_id = _text(raws[place]) or response_id
    return Gathered(counts, response_id, _words[shape.words(raws)])


def _text(raw: bytes) -> str:
    """A KeyValue's text; empty if its value is none."""
    text: bytes = messages.KeyValue.FromString(raw).value.string_value
    return text.decode()


def _said(raw: bytes) -> Said | None:
    """What a KeyValue says. Raises DecodeError or UnicodeDecodeError."""
    attribute = messages.KeyValue.FromString(raw)
    meaning = meaning_of(attribute.key.decode(errors="replace"))
    if meaning is None:
        return None
    kind = attribute.value.WhichOneof("value")
    value = getattr(attribute.value, kind) if kind else None  # None for a list, a map and bytes as well
    return said(meaning, value.decode() if isinstance(value, bytes) else value)


_counts: Final[Remembered[bytes, Said | None]] = Remembered(_said, keeps=lambda raw, _: len(raw) <= REMEMBERED_BYTES)
_words: Final[Remembered[tuple[bytes, ...], Words]] = Remembered(
    lambda raws: words_of(map(_said, raws)), keeps=lambda raws, _: sum(map(len, raws)) <= MAX_REMEMBERED_WORDS
)
