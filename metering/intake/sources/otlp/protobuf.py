"""`ExportTraceServiceRequest` in protobuf → spans."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from django.conf import settings
from google.protobuf.message import DecodeError

from metering.intake.formats.events import UnreadableError
from metering.intake.formats.items import MAX_EVENTS, too_many
from metering.intake.sources.otlp import messages
from metering.intake.sources.otlp.names import Said, is_read, said
from metering.intake.sources.otlp.span import MAX_ATTRIBUTES, Owner, Owners, Span, gathered, unreadable
from metering.intake.sources.otlp.wire import WireError, parts

REMEMBERED_BYTES: Final = 200
NUM_REMEMBERED: Final = 20_000
TAG_OF_ATTRIBUTE: Final = b"J"
LONG_TAG_OF_ATTRIBUTE: Final = b"\xca"
Place = tuple[int, int]


def spans(body: bytes, owner: Owner) -> list[Span]:
    """The spans of a request, in their order; `owner` is what its headers say. Raises UnreadableError."""
    try:
        found = [
            _span(body[at:end], scope, of_resource)
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
    *_, own = gathered(map(_said, attributes))
    return Owners(owner.said(own))


def _scope(body: bytes, names: list[Place]) -> str:
    if not names:
        return ""
    at, end = names[-1]
    name: bytes = messages.Scope.FromString(body[at:end]).name
    return name.decode(errors="replace")


def _span(text: bytes, scope: str, owners: Owners) -> Span:
    most = settings.FOREIGN_ITEM_MAX_BYTES
    if len(text) > most:
        return unreadable("event_too_large", f"A span can have at most {most:,} bytes.", owners.of(()))
    try:
        if text.count(TAG_OF_ATTRIBUTE) + text.count(LONG_TAG_OF_ATTRIBUTE) > MAX_ATTRIBUTES and _has_too_many(text):
            return unreadable(
                "too_many_attributes", f"A span can have at most {MAX_ATTRIBUTES:,} attributes.", owners.of(())
            )
        return _read(messages.Span.FromString(text), scope, owners)
    except UnicodeDecodeError:
        return unreadable("invalid_utf8", "An attribute of this span is not valid UTF-8.", owners.of(()))
    except (WireError, DecodeError):
        return unreadable("invalid_span", "This span cannot be read.", owners.of(()))


def _has_too_many(text: bytes) -> bool:
    return any(count >= MAX_ATTRIBUTES for count, _ in enumerate(parts(text, 0, len(text))))


def _read(span: Any, scope: str, owners: Owners) -> Span:
    counts, texts, own = gathered(
        [_remembered(raw) if len(raw) <= REMEMBERED_BYTES else _said(raw) for raw in span.attributes]
    )
    trace_id, parent_id = span.trace_id, span.parent_span_id
    return Span(
        trace_id + span.span_id,
        trace_id + parent_id if parent_id else b"",
        scope,
        datetime.fromtimestamp(span.end_time_unix_nano // 1000 / 1e6, UTC),
        span.status.code == messages.ERROR,
        counts,
        texts,
        owners.of(own),
    )


def _said(raw: bytes) -> Said | None:
    """What a KeyValue says. Raises DecodeError or UnicodeDecodeError."""
    attribute = messages.KeyValue.FromString(raw)
    name = attribute.key.decode(errors="replace")
    if not is_read(name):
        return None
    kind = attribute.value.WhichOneof("value")
    value = getattr(attribute.value, kind) if kind else None  # None for a list, a map and bytes as well
    return said(name, value.decode() if isinstance(value, bytes) else value)


_remembered: Final = lru_cache(NUM_REMEMBERED)(_said)
