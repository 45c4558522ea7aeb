"""Rows of LiteLLM's table `LiteLLM_SpendLogs`, as events: what its `schema.prisma` has, as CSV or as JSON objects.

A row is made into what LiteLLM's callback would have sent of the call, and read as that, so that both are the same event. Times
of the table have no zone and are UTC. `api_key` is the SHA-256 of the virtual key. The usage is in `metadata.usage_object`, in
earlier versions in `metadata.additional_usage_values` beside the sums in columns. Prompts and answers are not read.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from metering.intake.formats.events import Event, Refusal
from metering.intake.formats.native import refusal_of
from metering.intake.history.rows import Columns
from metering.intake.sources.litellm.calls import events_of, reason_to_ignore
from metering.intake.sources.litellm.payload import NOTHING, Metadata, Payload, Usage

COLUMNS: Final = Columns(
    required=("request_id", "call_type", "api_key", "endTime", "model", "prompt_tokens", "completion_tokens"),
    numbers=("prompt_tokens", "completion_tokens", "total_tokens"),
    json=("metadata", "request_tags"),
)
NO_COUNT: Final = ("Expected `int", "Integer value out of range")


class RowMetadata(Metadata, gc=False):
    """What the callback's metadata has, and what the table has beside that."""

    additional_usage_values: dict[str, Any] | None = None
    status: str | None = None


class SpendLog(msgspec.Struct, gc=False):
    """What is read of a row."""

    request_id: str
    call_type: str
    endTime: str  # noqa: N815 - the name of the column
    api_key: str | None = None
    model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    custom_llm_provider: str | None = None
    metadata: RowMetadata | None = None
    cache_hit: str | bool | None = None
    status: str | None = None
    organization_id: str | None = None
    team_id: str | None = None
    user: str | None = None
    end_user: str | None = None
    request_tags: msgspec.Raw = NOTHING


@dataclass(frozen=True, slots=True)
class Found:
    """The events of a row, or a Refusal; or none, and the name of the rule by which the row is no usage."""

    events: Sequence[Event | Refusal]
    ignored: str = ""
    changes: Sequence[str] = ()


_log: Final = msgspec.json.Decoder(SpendLog)


def read(text: bytes) -> Found:
    """What a row, as a JSON object, becomes. Its events name the key as the row does."""
    try:
        log = _log.decode(text)
        payload = _payload(log, log.metadata or RowMetadata())
    except msgspec.ValidationError as error:
        return Found((_refusal_of(str(error)),))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Found((Refusal("invalid_json", f"This is not valid JSON: {error}."),))
    except ValueError:
        return Found((Refusal("invalid_timestamp", "`endTime` is not a date and time."),))
    if ignored := reason_to_ignore(payload):
        return Found((), ignored)
    changes: Counter[tuple[str, str]] = Counter()
    events = events_of(payload, {}, changes)
    for event in events:
        if isinstance(event, Event):
            event.api_key_id = event.api_key_id or log.api_key or None
    return Found(events, changes=[rule for _, rule in changes])


def _payload(log: SpendLog, metadata: RowMetadata) -> Payload:
    """What the callback would have sent. The key stays out: files of keys may say whose it is."""
    ended_at = datetime.fromisoformat(log.endTime)
    return Payload(
        id=log.request_id,
        call_type=log.call_type,
        ended_at=ended_at.replace(tzinfo=UTC) if ended_at.tzinfo is None else ended_at.astimezone(UTC),
        status=log.status or metadata.status,
        custom_llm_provider=log.custom_llm_provider,
        model=log.model,
        prompt_tokens=log.prompt_tokens,
        completion_tokens=log.completion_tokens,
        total_tokens=log.total_tokens,
        metadata=Metadata(
            user_api_key_alias=metadata.user_api_key_alias,
            user_api_key_org_id=metadata.user_api_key_org_id or log.organization_id,
            user_api_key_team_id=metadata.user_api_key_team_id or log.team_id,
            user_api_key_team_alias=metadata.user_api_key_team_alias,
            user_api_key_user_id=metadata.user_api_key_user_id or log.user,
            requester_metadata=metadata.requester_metadata,
            spend_logs_metadata=metadata.spend_logs_metadata,
            usage_object=metadata.usage_object or _usage(log, metadata.additional_usage_values),
        ),
        cache_hit=str(log.cache_hit).lower(),
        request_tags=log.request_tags,
        end_user=log.end_user,
    )


def _usage(log: SpendLog, more: dict[str, Any] | None) -> Usage | None:
    """The sums of the columns with what was kept beside them; None if that was nothing."""
    if not more:
        return None
    sums = {
        "prompt_tokens": log.prompt_tokens,
        "completion_tokens": log.completion_tokens,
        "total_tokens": log.total_tokens,
    }
    return msgspec.convert({**more, **sums}, Usage)


def _refusal_of(problem: str) -> Refusal:
    """msgspec's sentence names the place and the kinds, and no value."""
    if problem.startswith(NO_COUNT):
        return Refusal("invalid_measure", f"{problem.replace('$.', '')}.")
    return refusal_of(problem)
