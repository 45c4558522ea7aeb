"""Requests of OTLP/HTTP made by hand: spans as small values, in both encodings, and what becomes of them."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.http import HttpResponse
from django.test import Client
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2

from metering.ingestion_models import IngestCount, Kind, Source
from metering.intake.received.tally import tally
from metering.measures import UsageType
from metering.models import Sku, UsageEvent
from tests.engine import days_ago

ADDRESS: Final = "/v1/traces"
PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
CHAT: Final = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
}
Attributes = dict[str, Any]


@dataclass(frozen=True)
class Span:
    """`id` is the span's, `parent` that of the span above it, in one trace. Without `at` it ended yesterday."""

    id: int = 1
    parent: int = 0
    attributes: Attributes = field(default_factory=lambda: dict(CHAT))
    failed: bool = False
    at: datetime | None = None
    scope: str = "some.instrumentation"
    resource: Attributes = field(default_factory=dict)


def chat(**names: Any) -> Attributes:
    """Attributes of a good span with these changed (`__` for `.`), or left out where None."""
    changed = {**CHAT, **{name.replace("__", "."): value for name, value in names.items()}}
    return {name: value for name, value in changed.items() if value is not None}


def request_of(*spans: Span) -> Any:
    """The message with a ResourceSpans for each span."""
    request = trace_service_pb2.ExportTraceServiceRequest()
    for span in spans:
        of_resource = request.resource_spans.add()
        of_resource.resource.attributes.extend(_attributes(span.resource))
        of_scope = of_resource.scope_spans.add()
        of_scope.scope.name = span.scope
        of_scope.spans.add(
            trace_id=b"t" * 16,
            span_id=span.id.to_bytes(8, "big"),
            parent_span_id=span.parent.to_bytes(8, "big") if span.parent else b"",
            name="a span",
            end_time_unix_nano=int((span.at or days_ago(1)).timestamp() * 1_000_000) * 1_000,
            attributes=_attributes(span.attributes),
            status={"code": 2 if span.failed else 0},
        )
    return request


def in_protobuf(*spans: Span) -> bytes:
    return bytes(request_of(*spans).SerializeToString())


def in_json(*spans: Span) -> bytes:
    """As OTLP's JSON: protobuf's own mapping, but for ids, which are hexadecimal."""
    found = json_format.MessageToDict(request_of(*spans), use_integers_for_enums=True)
    for of_resource, span in zip(found.get("resourceSpans", []), spans, strict=True):
        written = of_resource["scopeSpans"][0]["spans"][0]
        written["traceId"] = (b"t" * 16).hex()
        written["spanId"] = span.id.to_bytes(8, "big").hex()
        if span.parent:
            written["parentSpanId"] = span.parent.to_bytes(8, "big").hex()
    return json.dumps(found).encode()


def export(body: bytes, secret: str | None, *, content_type: str = PROTOBUF, **headers: str) -> HttpResponse:
    if secret is not None:
        headers = {"Authorization": f"Bearer {secret}", **headers}
    headers = {"Content-Type": content_type, **headers}  # the client sends none with an empty body
    response = Client().post(ADDRESS, body, content_type=content_type, headers=headers)
    assert isinstance(response, HttpResponse)
    return response


def rejected(body: bytes, secret: str, **more: str) -> tuple[int, str]:
    """(number of rejected spans, the sentence), as the answer in protobuf says."""
    response = export(body, secret, **more)
    assert (response.status_code, response.headers["Content-Type"]) == (200, PROTOBUF), response.content
    answer = trace_service_pb2.ExportTraceServiceResponse.FromString(response.content)
    return answer.partial_success.rejected_spans, answer.partial_success.error_message


def accept(secret: str, *spans: Span, **headers: str) -> None:
    assert rejected(in_protobuf(*spans), secret, **headers) == (0, "")


def stored(*columns: str) -> list[tuple[Any, ...]]:
    """Columns of each event, or of its SKU, in the order of time and tokens."""
    skus = {sku.id: sku for sku in Sku.objects.select_related("model")}
    events = UsageEvent.objects.order_by("occurred_at", "input_tokens", "output_tokens")
    return [tuple(_value(skus[event.sku_id], event, column) for column in columns) for event in events]


def counted(kind: Kind) -> dict[str, int]:
    """How many spans were ignored, rejected or normalised, by code."""
    tally.write()
    found: dict[str, int] = {}
    for row in IngestCount.objects.filter(source=Source.OTLP.value, kind=kind.value, grain="minute"):
        found[row.code] = found.get(row.code, 0) + row.number
    return found


def _value(sku: Sku, event: UsageEvent, column: str) -> Any:
    if column == "model":
        return sku.model.name
    if column == "usage_type":
        return UsageType(sku.usage_type).label
    found = getattr(sku if hasattr(sku, column) else event, column)
    return 0 if found is None else found


def _attributes(attributes: Attributes) -> list[Any]:
    return [common_pb2.KeyValue(key=name, value=_any(value)) for name, value in attributes.items()]


def _any(value: Any) -> Any:
    kinds: dict[type, str] = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}
    if type(value) in kinds:
        return common_pb2.AnyValue(**{kinds[type(value)]: value})
    return common_pb2.AnyValue(array_value=common_pb2.ArrayValue(values=[_any(one) for one in value]))
