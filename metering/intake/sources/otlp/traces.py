"""Spans of OpenTelemetry's GenAI conventions, and of those before and beside them → events (docs/opentelemetry.md).

Only what `names` knows is read of a span; what was asked and answered is neither kept nor logged.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Final

from django.conf import settings

from metering.intake.api import JSON_TYPE, Environ
from metering.intake.bodies.bodies import media_type
from metering.intake.formats.events import Decoded, Event, Refusal, UnreadableError
from metering.intake.sources.normaliser import (
    CACHE_BESIDE,
    INCLUSIVE,
    NotACountError,
    normalise,
    plain_measures,
    reported,
)
from metering.intake.sources.otlp import json_spans, protobuf
from metering.intake.sources.otlp.leaves import REASONS, verdicts
from metering.intake.sources.otlp.span import Owner, Span
from metering.measures import ALLOWED_MEASURES

PROTOBUF_TYPES: Final = ("application/x-protobuf", "application/protobuf")
SOURCE: Final = "spans"
FOREIGN_MEASURE_DROPPED: Final = "foreign_measure_dropped"
TRACE_BYTES: Final = 16
NODE_BYTES: Final = 24
NO_TRACE: Final = bytes(TRACE_BYTES)
NO_SPAN: Final = bytes(8)
NEVER: Final = datetime.fromtimestamp(0, UTC)
COMPLETIONS: Final = "completions"
PLAIN: Final = frozenset({"input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens", "total_tokens"})
COUNTINGS: Final = {"opentelemetry.instrumentation.bedrock": CACHE_BESIDE}
"""Scopes that do not count as the conventions say."""
ALLOWED: Final = {usage_type.label: measures for usage_type, measures in ALLOWED_MEASURES.items()}


def decode(body: bytes, environ: Environ) -> Decoded:
    """The events of a request's spans, with a Refusal in the place of each that should count and cannot be read.

    Raises UnreadableError.
    """
    owner = Owner(environ.get("HTTP_X_USAGE_API_KEY_ID") or None, environ.get("HTTP_X_USAGE_ORGANIZATION") or None)
    spans = _spans(body, media_type(environ), owner)
    events: list[Event | Refusal] = []
    changes: Counter[tuple[str, str]] = Counter()
    ignored: Counter[str] = Counter()
    most_bytes = settings.USAGE_EVENT_MAX_TEXT_BYTES
    for span, verdict in zip(spans, verdicts(spans), strict=True):
        if verdict in REASONS:
            ignored[verdict] += 1
        else:
            events.append(span.fault or _event(span, verdict, most_bytes, changes))
    return Decoded(events, changes=changes, ignored=ignored)


def _spans(body: bytes, content_type: str, owner: Owner) -> list[Span]:
    if content_type in PROTOBUF_TYPES:
        return protobuf.spans(body, owner)
    if content_type == JSON_TYPE:
        return json_spans.spans(body, owner)
    raise UnreadableError("unknown_content_type", f"Content-Type must be {PROTOBUF_TYPES[0]} or {JSON_TYPE}.", 415)


def _event(span: Span, usage_type: str, most_bytes: int, changes: Counter[tuple[str, str]]) -> Event | Refusal:
    node, at, owner, words = span.node, span.ended_at, span.owner, span.words
    if len(node) != NODE_BYTES or node.startswith(NO_TRACE) or node.endswith(NO_SPAN):
        return _refusal(span, "invalid_id", "A span must have a trace id of 16 bytes and a span id of 8.")
    if at is None or at == NEVER:
        return _refusal(span, "invalid_timestamp", "A span must say when it ended.")
    if words.num_bytes + len(span.response_id) + owner.num_bytes > most_bytes:
        return _refusal(span, "event_too_large", f"What is read of a span can have at most {most_bytes:,} bytes.")
    try:
        measures = _plain_measures(span, usage_type) or _measures(span, usage_type, changes)
    except NotACountError as error:
        return _refusal(span, error.refusal.code, error.refusal.message)
    tier = words.tier
    if tier.change:
        changes[SOURCE, tier.change] += 1
    return Event(
        id=_id(node),
        timestamp=at,
        usage_type=usage_type,
        model=words.model,
        api_key_id=owner.api_key_id,
        organization=owner.organization,
        project=owner.project,
        attributes=owner.raw_attributes,
        provider=words.provider,
        service_tier=tier.service_tier,
        batch=tier.batch,
        **measures,  # type: ignore[arg-type]  # the names of measures
    )


def _plain_measures(span: Span, usage_type: str) -> dict[str, int] | None:
    """Those of most spans; None for all others."""
    counts = span.counts
    if usage_type != COMPLETIONS or span.scope in COUNTINGS or not counts.keys() <= PLAIN:
        return None
    said = counts.get
    return plain_measures(
        said("input_tokens"),
        said("cache_read_tokens", 0),
        said("output_tokens"),
        said("reasoning_tokens", 0),
        said("total_tokens"),
    )


def _measures(span: Span, usage_type: str, changes: Counter[tuple[str, str]]) -> dict[str, int]:
    """Raises NotACountError."""
    found = normalise(reported(span.counts), COUNTINGS.get(span.scope, INCLUSIVE))
    measures, allowed = found.measures, ALLOWED[usage_type]
    if not measures.keys() <= allowed:
        measures = {name: count for name, count in measures.items() if name in allowed}
        changes[SOURCE, FOREIGN_MEASURE_DROPPED] += 1
    for change in found.changes:
        changes[SOURCE, change] += 1
    return measures


def _refusal(span: Span, code: str, message: str) -> Refusal:
    return Refusal(code, message, event_id=_id(span.node), key=span.owner.api_key_id or "")


def _id(node: bytes) -> str:
    """<trace id>-<span id>. Not the id of the response: embeddings have none, and it is the same in two spans of one call."""
    return node.hex("-", -TRACE_BYTES)
