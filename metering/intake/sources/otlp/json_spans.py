"""`ExportTraceServiceRequest` in JSON → spans.

Ids are hexadecimal, integers of 64 bits may be texts, and unknown fields are ignored.
"""

import re
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from django.conf import settings

from metering.intake.formats.events import Refusal, UnreadableError
from metering.intake.formats.items import MAX_EVENTS, MAX_FIELDS, UNREADABLE, marked, too_many
from metering.intake.formats.native import refusal_of
from metering.intake.sources.otlp.names import ID, Said, meaning_of, said
from metering.intake.sources.otlp.remembered import REMEMBERED_BYTES, Remembered
from metering.intake.sources.otlp.span import MAX_ATTRIBUTES, NO_WORDS, Owner, Owners, Span, gathered, unreadable

MAX_COMMAS: Final = MAX_EVENTS * MAX_FIELDS
# All up to the next comma that is not inside a string. Nothing is tried twice, so the time is that of one look at each byte.
TO_COMMA: Final = re.compile(rb'(?:[^",]++|"(?:[^"\\]++|\\.)*+")*+,', re.DOTALL)
WHOLE: Final = re.compile(r"-?[0-9]{1,19}")
ERRORS: Final = (2, "2", "STATUS_CODE_ERROR")


class AnyValue(msgspec.Struct, rename="camel", gc=False):
    string_value: str | None = None
    int_value: int | str | float | None = None
    double_value: float | str | None = None
    bool_value: bool | None = None


class KeyValue(msgspec.Struct, gc=False):
    key: str = ""
    value: AnyValue | None = None


class Resource(msgspec.Struct, gc=False):
    attributes: list[KeyValue] | None = None


class Scope(msgspec.Struct, gc=False):
    name: str = ""


class Status(msgspec.Struct, gc=False):
    code: int | str | None = None


class SpanInJSON(msgspec.Struct, rename="camel", gc=False):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str | None = None
    end_time_unix_nano: int | str = 0
    attributes: list[msgspec.Raw] | None = None
    status: Status | None = None


class ScopeSpans(msgspec.Struct, gc=False):
    scope: Scope | None = None
    spans: list[msgspec.Raw] | None = None


class ResourceSpans(msgspec.Struct, rename="camel", gc=False):
    resource: Resource | None = None
    scope_spans: list[ScopeSpans] | None = None


class Request(msgspec.Struct, rename="camel", gc=False):
    resource_spans: list[ResourceSpans] | None = None


_request: Final = msgspec.json.Decoder(Request)
_attribute: Final = msgspec.json.Decoder(KeyValue)
_span_in_json: Final = msgspec.json.Decoder(SpanInJSON)


def spans(body: bytes, owner: Owner) -> list[Span]:
    """The spans of a request, in their order; `owner` is what its headers say. Raises UnreadableError."""
    found: list[Span] = []
    most = settings.FOREIGN_ITEM_MAX_BYTES
    for resource_spans in _decoded(body).resource_spans or ():
        owners = _owners(resource_spans.resource, owner)
        for scope_spans in resource_spans.scope_spans or ():
            texts = scope_spans.spans or ()
            if len(found) + len(texts) > MAX_EVENTS:
                raise too_many(f"{MAX_EVENTS:,} spans")
            scope = scope_spans.scope.name if scope_spans.scope else ""
            found += [_span(bytes(text), most, scope, owners) for text in texts]
    return found


def _decoded(body: bytes) -> Request:
    """Raises UnreadableError, before anything is made of a body that holds too much."""
    if body.count(b",") > MAX_COMMAS and any(place >= MAX_COMMAS for place, _ in enumerate(TO_COMMA.finditer(body))):
        raise too_many(f"{MAX_EVENTS:,} spans of {MAX_FIELDS} attributes")
    try:
        try:
            return _request.decode(body)
        except UNREADABLE:
            return _request.decode(marked(body))
    except msgspec.ValidationError as error:
        raise UnreadableError("invalid_request", f"The body is no ExportTraceServiceRequest: {error}.") from error
    except UNREADABLE as error:
        raise UnreadableError("invalid_json", "The body is not valid JSON.") from error


def _owners(resource: Resource | None, owner: Owner) -> Owners:
    attributes = (resource.attributes or []) if resource else []
    if len(attributes) > MAX_ATTRIBUTES:
        raise too_many(f"{MAX_ATTRIBUTES:,} attributes of a resource")
    return Owners(owner.said(gathered(map(_said, attributes)).words.own))


def _span(text: bytes, most: int, scope: str, owners: Owners) -> Span:
    if len(text) > most:
        return unreadable("event_too_large", f"A span can have at most {most:,} bytes.", owners.of(NO_WORDS))
    try:
        found = _span_in_json.decode(text)
        attributes = found.attributes or []
        if len(attributes) <= MAX_ATTRIBUTES:
            return _read(found, attributes, scope, owners)
    except UnicodeDecodeError:
        return unreadable("invalid_utf8", "The text of this span is not valid UTF-8.", owners.of(NO_WORDS))
    except (*UNREADABLE, RecursionError) as error:
        refusal = _refusal(error)
        return unreadable(refusal.code, refusal.message, owners.of(NO_WORDS))
    return unreadable(
        "too_many_attributes", f"A span can have at most {MAX_ATTRIBUTES:,} attributes.", owners.of(NO_WORDS)
    )


def _refusal(error: Exception) -> Refusal:
    if not isinstance(error, msgspec.ValidationError):
        return Refusal("invalid_json", "This span is not valid JSON.")
    code = "invalid_measure" if "Integer value out of range" in str(error) else "invalid_span"
    return Refusal(code, refusal_of(str(error)).message)


def _read(span: SpanInJSON, attributes: list[msgspec.Raw], scope: str, owners: Owners) -> Span:
    counts, response_id, words = gathered(map(_remembered.__getitem__, map(bytes, attributes)))
    trace_id, parent_id = _bytes(span.trace_id), _bytes(span.parent_span_id or "")
    return Span(
        trace_id + _bytes(span.span_id),
        trace_id + parent_id if parent_id else b"",
        scope,
        _ended_at(span.end_time_unix_nano),
        span.status is not None and span.status.code in ERRORS,
        counts,
        response_id,
        words,
        owners.of(words),
    )


def _said(attribute: KeyValue) -> Said | None:
    meaning = meaning_of(attribute.key)
    if attribute.value is None or meaning is None:
        return None
    return said(meaning, _value(attribute.value))


_remembered: Final[Remembered[bytes, Said | None]] = Remembered(
    lambda raw: _said(_attribute.decode(raw)),
    keeps=lambda raw, said: len(raw) <= REMEMBERED_BYTES and not (said and said.kind == ID),
)


def _value(value: AnyValue) -> Any:
    found = value.int_value
    if found is None:
        others = (value.string_value, value.double_value, value.bool_value)
        return next((other for other in others if other is not None), None)
    return int(found) if isinstance(found, str) and WHOLE.fullmatch(found) else found


def _bytes(digits: str) -> bytes:
    """The id; empty for one that is not hexadecimal."""
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return b""


def _ended_at(nanoseconds: int | str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(nanoseconds) // 1000 / 1e6, UTC)
    except (ValueError, OverflowError, OSError):
        return None
