"""Rows of LiteLLM's table `LiteLLM_SpendLogs`, as events: what its `schema.prisma` has, as CSV or as JSON objects.

Its times have no zone and are UTC. `api_key` is the SHA-256 of the virtual key, as is our digest. The usage is in
`metadata.usage_object`, before that in `metadata.additional_usage_values`, and its sums are in columns; the input includes what
was read from the cache. Prompts and answers, if they are logged, are not read.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from metering.intake.formats.events import NO_ATTRIBUTES, Event, Refusal
from metering.intake.formats.native import refusal_of
from metering.intake.history.rows import Columns
from metering.intake.sources.identity import event_id
from metering.intake.sources.names import provider_of
from metering.intake.sources.normaliser import NotACountError, normalise, reported

USAGE_TYPES: Final = {
    **dict.fromkeys(
        (
            *("completion", "acompletion", "text_completion", "atext_completion", "responses", "aresponses"),
            *("anthropic_messages", "generate_content", "agenerate_content"),
            *("generate_content_stream", "agenerate_content_stream"),
        ),
        "completions",
    ),
    **dict.fromkeys(("embedding", "aembedding"), "embeddings"),
    **dict.fromkeys(("moderation", "amoderation"), "moderations"),
    **dict.fromkeys(("image_generation", "aimage_generation", "image_edit", "aimage_edit"), "images"),
    **dict.fromkeys(("transcription", "atranscription"), "audio_transcriptions"),
    **dict.fromkeys(("speech", "aspeech"), "audio_speeches"),
}
"""What LiteLLM calls a call → our usage type. Other calls are no usage of a model."""
INPUT_ONLY: Final = frozenset({"embeddings", "moderations"})
CALL_TYPE: Final = "call_type"
CACHE_HIT: Final = "cache_hit"
FAILURE: Final = "failure"
COLUMNS: Final = Columns(
    required=("request_id", "call_type", "api_key", "endTime", "model", "prompt_tokens", "completion_tokens"),
    numbers=("prompt_tokens", "completion_tokens", "total_tokens"),
    json=("metadata",),
)


class Metadata(msgspec.Struct):
    """What is read of a row's metadata."""

    usage_object: dict[str, Any] | None = None
    additional_usage_values: dict[str, Any] | None = None
    status: str | None = None
    user_api_key_alias: str | None = None
    user_api_key_org_id: str | None = None
    user_api_key_team_id: str | None = None
    user_api_key_team_alias: str | None = None


class SpendLog(msgspec.Struct):
    """What is read of a row."""

    request_id: str
    call_type: str
    endTime: str  # noqa: N815 - the name of the column
    api_key: str | None = None
    model: str | None = None
    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    total_tokens: int | None = None
    custom_llm_provider: str | None = None
    metadata: Metadata | None = None
    cache_hit: str | bool | None = None
    status: str | None = None
    organization_id: str | None = None
    team_id: str | None = None
    end_user: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The event of a row; or why there is none, as a Refusal, or as the name of the rule by which the row is no usage."""

    event: Event | Refusal | None
    ignored: str = ""
    changes: Sequence[str] = ()


_log: Final = msgspec.json.Decoder(SpendLog)


def read(text: bytes, organizations: AbstractSet[str]) -> Found:
    """What a row, as a JSON object, becomes. `organizations` are those of this installation."""
    try:
        log = _log.decode(text)
        if ignored := _no_usage(log):
            return Found(None, ignored)
        return _found(log, organizations)
    except NotACountError as error:
        return Found(error.refusal)
    except msgspec.ValidationError as error:
        return Found(refusal_of(str(error)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Found(Refusal("invalid_json", f"This is not valid JSON: {error}."))


def _no_usage(log: SpendLog) -> str:
    """The rule by which the row is no usage; empty if it is."""
    if log.call_type not in USAGE_TYPES:
        return CALL_TYPE
    if str(log.cache_hit).lower() == "true":
        return CACHE_HIT
    status = log.status or (log.metadata.status if log.metadata else None)
    return FAILURE if status == FAILURE and not (log.prompt_tokens or log.completion_tokens) else ""


def _found(log: SpendLog, organizations: AbstractSet[str]) -> Found:
    metadata = log.metadata or Metadata()
    ended_at = _utc(log.endTime)
    if ended_at is None:
        return Found(Refusal("invalid_timestamp", "`endTime` is not a date and time."))
    usage_type = USAGE_TYPES[log.call_type]
    usage = normalise(reported(_counts(log, metadata, usage_type)))
    organization = metadata.user_api_key_org_id or log.organization_id
    attributes = _attributes(log, metadata)
    event = Event(
        id=event_id(log.request_id),
        timestamp=ended_at,
        usage_type=usage_type,
        model=_model(log),
        api_key_id=_key(log, metadata),
        organization=organization if organization in organizations else None,
        project=None,
        attributes=msgspec.Raw(msgspec.json.encode(attributes)) if attributes else NO_ATTRIBUTES,
        service_tier=None,
        batch=False,
        provider=provider_of(log.custom_llm_provider) or None,
        speed=None,
        region=None,
        **usage.measures,
    )
    return Found(event, changes=usage.changes)


def _utc(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _counts(log: SpendLog, metadata: Metadata, usage_type: str) -> dict[str, Any]:
    """The counts by the names of the normaliser. What the same number is called twice for is taken once."""
    usage = {
        "prompt_tokens": log.prompt_tokens,
        "completion_tokens": log.completion_tokens,
        "total_tokens": log.total_tokens,
        **(metadata.additional_usage_values or {}),
        **(metadata.usage_object or {}),
    }
    into, out = _part(usage, "prompt_tokens_details"), _part(usage, "completion_tokens_details")
    counts = {
        "input_tokens": usage["prompt_tokens"],
        "cache_read_tokens": _first(into.get("cached_tokens"), usage.get("cache_read_input_tokens")),
        "cache_write_tokens": _first(into.get("cache_creation_tokens"), usage.get("cache_creation_input_tokens")),
        "cache_write_long_tokens": _part(into, "cache_creation_token_details").get("ephemeral_1h_input_tokens"),
        "audio_tokens": into.get("audio_tokens"),
        "image_tokens": into.get("image_tokens"),
        "total_tokens": usage["total_tokens"] or None,
    }
    if usage_type in INPUT_ONLY:
        return counts
    return counts | {
        "output_tokens": usage["completion_tokens"],
        "output_audio_tokens": out.get("audio_tokens"),
        "output_image_tokens": out.get("image_tokens"),
        "reasoning_tokens": out.get("reasoning_tokens"),
    }


def _part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def _first(*counts: Any) -> Any:
    """The first that says more than none."""
    return next((count for count in counts if count), None)


def _model(log: SpendLog) -> str:
    """Without the provider's name that LiteLLM puts before it."""
    return (log.model or "").removeprefix(f"{log.custom_llm_provider}/")


def _key(log: SpendLog, metadata: Metadata) -> str | None:
    """The alias where it is one of our ids, else the SHA-256 of the key."""
    alias = metadata.user_api_key_alias or ""
    return alias if alias.startswith("key_") else log.api_key or None


def _attributes(log: SpendLog, metadata: Metadata) -> dict[str, str]:
    said = {
        "team": metadata.user_api_key_team_alias or metadata.user_api_key_team_id or log.team_id,
        "end_customer": log.end_user,
    }
    return {name: value for name, value in said.items() if value}
