"""The messages of OTLP that are read, made from the definitions of the package `opentelemetry-proto`.

They have the fields that say something of usage, so that what else a span holds (prompts in events, links) is passed over and no
object is made of it. Texts are bytes: one that is not UTF-8, as senders make them by cutting prompts, is no fault of its
neighbours. A span's attributes are bytes, too, each a KeyValue: most of them came before, and need not be parsed again.
"""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

PACKAGE: Final = "opentelemetry.proto"
FILES: Final = (common_pb2.DESCRIPTOR, resource_pb2.DESCRIPTOR, trace_pb2.DESCRIPTOR)  # each before those that need it
READ: Final = {
    "AnyValue": {"string_value", "bool_value", "int_value", "double_value"},
    "KeyValue": {"key", "value"},
    "InstrumentationScope": {"name"},
    "Resource": {"attributes"},
    "Span": {"trace_id", "span_id", "parent_span_id", "end_time_unix_nano", "attributes", "status"},
    "Status": {"code"},
}


def _reduced(file: Any) -> descriptor_pb2.FileDescriptorProto:
    found = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(found)
    for message in found.message_type:
        fields = [field for field in message.field if field.name in READ.get(message.name, {field.name})]
        for field in fields:
            if field.type == field.TYPE_STRING or field.name == "attributes":
                field.type = field.TYPE_BYTES
                field.ClearField("type_name")
        kept = descriptor_pb2.DescriptorProto(field=fields)
        message.ClearField("field")
        message.field.extend(kept.field)
    return found


_pool: Final = descriptor_pool.DescriptorPool()
for _file in FILES:
    _pool.Add(_reduced(_file))


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))


Resource: Final = _message("resource.v1.Resource")
Scope: Final = _message("common.v1.InstrumentationScope")
KeyValue: Final = _message("common.v1.KeyValue")
Span: Final = _message("trace.v1.Span")
ERROR: Final = trace_pb2.Status.STATUS_CODE_ERROR
# The numbers of the fields that are walked through before anything is parsed.
RESOURCE_SPANS: Final = 1
RESOURCE: Final = trace_pb2.ResourceSpans.RESOURCE_FIELD_NUMBER
SCOPE_SPANS: Final = trace_pb2.ResourceSpans.SCOPE_SPANS_FIELD_NUMBER
SCOPE: Final = trace_pb2.ScopeSpans.SCOPE_FIELD_NUMBER
SPANS: Final = trace_pb2.ScopeSpans.SPANS_FIELD_NUMBER
