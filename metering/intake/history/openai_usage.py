"""Rows of the usage exports of OpenAI's platform, as events: the older one, whose columns our Activity export begins with, and
the one by `start_time`, whose columns are named as in OpenAI's usage API and mean what our measures of these names do.

A row is the sum of many requests, so it becomes one event of as many. Its id is made of all that tells it from other rows, but
not of its numbers: the row of a day that was not over, and later the whole day's, are a conflict and do not add up.
"""

from collections.abc import Set as AbstractSet
from hashlib import sha256
from typing import Any, Final

import msgspec

from metering.intake.formats.events import Event, Refusal
from metering.intake.formats.native import refusal_of
from metering.intake.history.rows import Columns
from metering.measures import MEASURES as OWN_MEASURES
from metering.measures import USAGE_TYPES

MEASURES: Final = {
    "num_requests": "num_model_requests",
    "n_context_tokens_total": "input_tokens",
    "n_cached_context_tokens_total": "input_cached_tokens",
    "n_cache_write_context_tokens_total": "input_cache_write_tokens",
    "n_cache_write_long_context_tokens_total": "input_cache_write_long_tokens",
    "n_audio_context_tokens_total": "input_audio_tokens",
    "n_image_context_tokens_total": "input_image_tokens",
    "n_video_context_tokens_total": "input_video_tokens",
    "n_generated_tokens_total": "output_tokens",
    "n_audio_generated_tokens_total": "output_audio_tokens",
    "n_image_generated_tokens_total": "output_image_tokens",
    "n_reasoning_generated_tokens_total": "output_reasoning_tokens",
    "num_images": "images",
    "num_seconds": "seconds",
    "num_characters": "characters",
    "num_sessions": "num_sessions",
    "usage_bytes": "usage_bytes",
}
"""Columns of an export → our measures."""
OPERATIONS: Final = {
    **{name: name for name in USAGE_TYPES},
    "completion": "completions",
    "chat": "completions",
    "text": "completions",
    "embedding": "embeddings",
    "moderation": "moderations",
    "image": "images",
    "speech": "audio_speeches",
    "tts": "audio_speeches",
    "transcription": "audio_transcriptions",
    "whisper": "audio_transcriptions",
}
IDENTITY: Final = (
    *("timestamp", "operation", "usage_type", "model", "api_key_id", "api_key_redacted", "organization_id", "user_id"),
    *("service_tier", "batch", "provider", "project_id", "attributes"),
)
NAMES_OF_KEY: Final = ("api_key_id", "api_key_redacted", "user_id", "user")
"""The first of them that a row has is what a file of keys may name its key by; rows of untracked usage have only a person."""
COLUMNS: Final = Columns(
    required=("operation", "model", "timestamp", "num_requests", "n_context_tokens_total", "n_generated_tokens_total"),
    numbers=frozenset({"timestamp", "start_time", *MEASURES, *OWN_MEASURES}),
    json=("batch", "attributes"),
    or_required=("start_time", "end_time"),
)
OWN_NAMES: Final = frozenset(OWN_MEASURES)
EMPTY_BUCKET: Final = "empty_bucket"
NO_REQUESTS: Final = Refusal(
    "missing_field", "The row does not say how many requests it sums, in `num_model_requests`."
)
OWN: Final = Refusal(
    "own_export", "This row was exported from this installation, where its usage is already; it would count twice."
)

_fields: Final = msgspec.json.Decoder(dict[str, Any])


def read(text: bytes, organizations: AbstractSet[str]) -> Event | Refusal | None:
    """The event of a row, as a JSON object; None for a time in which nothing was used. `organizations` are those of here."""
    try:
        fields = _fields.decode(text)
        if fields.get("organization_id") in organizations:
            return OWN
        if "start_time" in fields and not OWN_NAMES & fields.keys():
            return None
        if "start_time" in fields and "num_model_requests" not in fields:
            return NO_REQUESTS
        event = msgspec.convert(_of_bucket(fields) if "start_time" in fields else _event(fields), Event)
    except msgspec.ValidationError as error:
        return refusal_of(str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Refusal("invalid_json", f"This is not valid JSON: {error}.")
    if attributes := fields.get("attributes"):
        event.attributes = msgspec.Raw(msgspec.json.encode(attributes))
    return event


def _event(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of the event. What is not there stays away, so that the sentences about it are those of all events."""
    operation = str(fields.get("operation") or fields.get("usage_type") or "").lower()
    usage_type = OPERATIONS.get(operation, operation)
    event = {
        "id": _id(fields),
        "timestamp": fields.get("timestamp"),
        "usage_type": usage_type,
        "model": fields.get("model") or "",
        "api_key_id": next((fields[name] for name in NAMES_OF_KEY if fields.get(name)), None),
        "service_tier": fields.get("service_tier"),
        "batch": fields.get("batch", False),
        "provider": fields.get("provider"),
    }
    return event | {ours: fields[theirs] for theirs, ours in MEASURES.items() if fields.get(theirs) is not None}


def _of_bucket(fields: dict[str, Any]) -> dict[str, Any]:
    """Of a row by `start_time`. Which usage it is of is in the name of its file; only completions have an output."""
    return {
        "id": _id(fields),
        "timestamp": fields["start_time"],
        "usage_type": "completions" if "output_tokens" in fields else "",
        "model": fields.get("model") or "",
        "api_key_id": next((fields[name] for name in NAMES_OF_KEY if fields.get(name)), None),
        "service_tier": fields.get("service_tier"),
        "batch": fields.get("batch") or False,
        **{name: fields[name] for name in OWN_MEASURES if fields.get(name) is not None},
    }


def _id(fields: dict[str, Any]) -> str:
    """`x-` and 62 digits of SHA-256; without an id of a person their name takes its place."""
    said = [fields.get(name) for name in IDENTITY]
    if "start_time" in fields:
        said += [fields["start_time"], fields.get("end_time")]
    if not fields.get("user_id"):
        said.append(fields.get("user"))
    return "x-" + sha256(msgspec.json.encode(said)).hexdigest()[:62]
