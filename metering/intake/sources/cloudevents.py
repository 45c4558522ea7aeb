"""CloudEvents 1.0 (cloudevents/formats/json-format.md, bindings/http-protocol-binding.md) → events; docs/cloudevents.md.

The envelope says who, when and which; `data` has the fields of an event, or what two known senders put there.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from django.conf import settings

from metering.intake.api import Environ, declares_lines
from metering.intake.bodies import bodies
from metering.intake.formats import native
from metering.intake.formats.events import Correction, Decoded, Event, Refusal, UnreadableError
from metering.intake.formats.items import UNREADABLE, items, patiently_decoded
from metering.intake.sources.identity import id_of_two
from metering.intake.sources.readings import RefusedError
from metering.measures import MEASURES

MEDIA_TYPE: Final = "application/cloudevents"
VERSION_HEADER: Final = "HTTP_CE_SPECVERSION"
VERSION: Final = "1.0"
LITELLM_TYPE: Final = "litellm_tokens"
NOTHING: Final = (b"", b"null")
EMPTY: Final = msgspec.Raw()
MAX_DIGITS: Final = 40
UNREADABLE_CODES: Final = frozenset({"invalid_json", "invalid_utf8"})
KINDS: Final = {"input": "input_tokens", "system": "input_tokens", "output": "output_tokens"}
"""`type` in the data of OpenMeter's example of tokens → measure."""
Fields = dict[str, msgspec.Raw]


class Envelope(msgspec.Struct, gc=False, kw_only=True):
    """The attributes of the context that are read; extensions are passed over."""

    specversion: str
    id: str
    source: str
    type: str
    time: str | None = None
    subject: msgspec.Raw = EMPTY  # of some senders no text
    data: msgspec.Raw = EMPTY
    data_base64: str | None = None


_envelope: Final = msgspec.json.Decoder(Envelope)
_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text: Final = msgspec.json.Decoder(str)


def are_in(environ: Environ) -> bool:
    """Whether a request says that it holds CloudEvents."""
    return VERSION_HEADER in environ or environ.get("CONTENT_TYPE", "").lower().startswith(MEDIA_TYPE)


def decode(body: bytes, environ: Environ) -> Decoded:
    """The events of a body: one in binary mode, one or an array in structured mode. Raises UnreadableError."""
    if VERSION_HEADER in environ and not bodies.media_type(environ).startswith(MEDIA_TYPE):
        found = [_binary(body, environ)]
    else:
        found = [_structured(text) for text in items(body, lines=declares_lines(environ))]
    if len(found) == 1 and isinstance(only := found[0], Refusal) and only.code in UNREADABLE_CODES:
        raise UnreadableError(only.code, only.message)
    return Decoded(found)


def _binary(body: bytes, environ: Environ) -> Event | Correction | Refusal:
    """The context is in headers, whose values are percent-encoded, and the body is the data."""
    said = {name: environ.get(f"HTTP_CE_{name.upper()}") for name in ("specversion", "id", "source", "type", "time")}
    missing = [name for name in ("id", "source", "type") if not said[name]]
    if missing:
        return Refusal("missing_field", f"The header `ce-{missing[0]}` is missing.")
    subject = unquote(environ.get("HTTP_CE_SUBJECT", ""))
    texts = {name: unquote(value) for name, value in said.items() if value}
    return _event(Envelope(**texts, subject=msgspec.Raw(msgspec.json.encode(subject)), data=msgspec.Raw(body)))


def _structured(text: bytes) -> Event | Correction | Refusal:
    if len(text) > settings.USAGE_EVENT_MAX_TEXT_BYTES:
        return Refusal("event_too_large", f"An event can have at most {settings.USAGE_EVENT_MAX_TEXT_BYTES:,} bytes.")
    try:
        return _event(patiently_decoded(_envelope, text))
    except msgspec.ValidationError as error:
        return native.refusal_of(str(error))
    except (msgspec.DecodeError, RecursionError) as error:
        return Refusal("invalid_json", f"This is not valid JSON: {error}.")
    except UnicodeDecodeError:
        return Refusal("invalid_utf8", "The text of this event is not valid UTF-8.")


def _event(envelope: Envelope) -> Event | Correction | Refusal:
    """In the words of our own format, whose checks and refusals then are the same."""
    try:
        fields = _ours(envelope, _data(envelope))
    except RefusedError as error:
        return replace(error.refusal, event_id=envelope.id)
    return native.decode_one(msgspec.json.encode(fields))


def _data(envelope: Envelope) -> Fields:
    """Raises RefusedError."""
    if envelope.specversion != VERSION:
        raise RefusedError("unknown_specversion", f"`specversion` must be {VERSION}.")
    if not envelope.id or not envelope.source:
        raise RefusedError("invalid_id", "`id` and `source` must not be empty: both together are the event's id.")
    if not envelope.time:
        raise RefusedError("missing_field", "`time` is missing: it is stored with the id, and a retry has the same.")
    try:
        data = base64.b64decode(envelope.data_base64, validate=True) if envelope.data_base64 else envelope.data
        return _fields.decode(data)
    except (*UNREADABLE, binascii.Error) as error:
        raise RefusedError("invalid_event", "`data` must be a JSON object with the event's fields.") from error


def _ours(envelope: Envelope, data: Fields) -> Fields:
    """The fields of an event. Raises RefusedError."""
    fields = _shape(envelope.type, data)(data)
    fields["id"] = _raw(id_of_two(envelope.source, envelope.id))
    fields["timestamp"] = _raw(envelope.time)
    if corrected := _said(data, "corrects"):
        fields["corrects"] = _raw(id_of_two(envelope.source, corrected))
    subject = _read(envelope.subject)
    for name, prefix in (("api_key_id", "key_"), ("organization", "org_")):
        if not _said(fields, name) and subject.startswith(prefix):
            fields[name] = envelope.subject
    return {name: _whole(value) if name in MEASURES else value for name, value in fields.items()}


def _shape(event_type: str, data: Mapping[str, Any]) -> Callable[[Fields], Fields]:
    if "usage_type" in data:
        return dict
    if event_type == LITELLM_TYPE or "prompt_tokens" in data:
        return _of_litellm
    if "tokens" in data:
        return _of_openmeter
    raise RefusedError("missing_field", "`data` has no `usage_type`.")


def _of_litellm(data: Fields) -> Fields:
    """What LiteLLM's callback for OpenMeter sends; it says nothing of the cache."""
    output = data.get("completion_tokens", _raw(0))
    return {
        **_purposes(data),
        "usage_type": _raw("completions"),
        "input_tokens": data.get("prompt_tokens", _raw(0)),
        "output_tokens": output if bytes(output) not in NOTHING else _raw(0),
    }


def _of_openmeter(data: Fields) -> Fields:
    """OpenMeter's example of tokens by model and type: an event for the input and one for the output of a request."""
    kind = _said(data, "type")
    if kind not in KINDS:
        raise RefusedError("unknown_type", f"`type` beside `tokens` must be one of {', '.join(KINDS)}.")
    return {
        **_purposes(data),
        "usage_type": _raw("completions"),
        "num_model_requests": _raw(int(kind == "output")),
        KINDS[kind]: data["tokens"],
    }


def _purposes(data: Fields) -> Fields:
    """What these senders may say in our words as well."""
    names = ("model", "provider", "api_key_id", "organization", "project", "attributes")
    return {name: data[name] for name in names if name in data}


def _whole(value: msgspec.Raw) -> msgspec.Raw:
    """A whole number that came as a decimal text; anything else as it is."""
    text = _read(value).strip()
    if not text or len(text) > MAX_DIGITS:
        return value
    try:
        number = Decimal(text)
    except InvalidOperation:
        return value
    is_whole = number.is_finite() and abs(number.adjusted()) <= MAX_DIGITS and number == number.to_integral_value()
    return _raw(int(number)) if is_whole else value


def _said(fields: Fields, name: str) -> str:
    return _read(fields.get(name, EMPTY))


def _read(raw: msgspec.Raw) -> str:
    """The text; empty if it is none."""
    try:
        return _text.decode(raw)
    except UNREADABLE:
        return ""


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
