"""Answers as OTLP/HTTP has them, in the encoding of their request (opentelemetry.io/docs/specs/otlp, OTLP/HTTP Response).

Exporters send the same again after 429, 502, 503 and 504, and throw it away after any other error; so a server error is
answered 503: sending again is safe.
"""

from collections import Counter
from http import HTTPStatus
from typing import Any, Final

import msgspec
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from metering.intake.api import JSON_TYPE, Answer, Environ, headers_of
from metering.intake.bodies.bodies import media_type
from metering.intake.copy_rows import Outcome
from metering.intake.formats.events import Decoded, Refusal, UnreadableError

PROTOBUF_TYPE: Final = "application/x-protobuf"
MAX_SENTENCES: Final = 5


def _status_message() -> Any:
    """`google.rpc.Status` without the details, which nobody here has."""
    file = descriptor_pb2.FileDescriptorProto(name="status.proto", package="google.rpc", syntax="proto3")
    field, optional = descriptor_pb2.FieldDescriptorProto, descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
    fields = [
        field(name="code", number=1, type=field.TYPE_INT32, label=optional),
        field(name="message", number=2, type=field.TYPE_STRING, label=optional),
    ]
    file.message_type.add(name="Status", field=fields)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("google.rpc.Status"))


Status: Final = _status_message()


def stored(environ: Environ, decoded: Decoded, outcomes: list[Outcome]) -> Answer:  # noqa: ARG001 - as api.Stored
    """How many spans were rejected, and why; those that were ignored are not."""
    refusals = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    if not refusals:
        return _answer(environ, 200, b"", b"{}")
    partial = {"rejectedSpans": str(len(refusals)), "errorMessage": _sentences(refusals)}
    message = trace_service_pb2.ExportTraceServiceResponse()
    message.partial_success.rejected_spans = len(refusals)
    message.partial_success.error_message = partial["errorMessage"]
    return _answer(environ, 200, message.SerializeToString(), msgspec.json.encode({"partialSuccess": partial}))


def refused(environ: Environ, error: UnreadableError) -> Answer:
    """The sentence for people, with the code for programs before it."""
    if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        error = UnreadableError(error.code, error.message, HTTPStatus.SERVICE_UNAVAILABLE)
    text = f"{error.code}: {error.message}"
    in_json = msgspec.json.encode({"message": text})
    return _answer(environ, error.status, Status(message=text).SerializeToString(), in_json, headers_of(error))


def _answer(
    environ: Environ, status: int, in_protobuf: bytes, in_json: bytes, headers: tuple[tuple[str, str], ...] = ()
) -> Answer:
    if media_type(environ) == JSON_TYPE:
        return Answer(status, in_json, headers, JSON_TYPE)
    return Answer(status, in_protobuf, headers, PROTOBUF_TYPE)


def _sentences(refusals: list[Refusal]) -> str:
    """Each reason once, the most frequent first."""
    counts = Counter((refusal.code, refusal.message) for refusal in refusals).most_common(MAX_SENTENCES + 1)
    told = [f"{number} × {code}: {message}" for (code, message), number in counts[:MAX_SENTENCES]]
    return " · ".join(told + ["…"] * (len(counts) > MAX_SENTENCES))
