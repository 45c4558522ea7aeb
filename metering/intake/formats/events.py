"""The event as every format delivers it, and the answer to one that cannot be taken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, ClassVar, Final, Literal, TypeAlias

import msgspec

from metering.measures import MAX_MEASURE

Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_MEASURE)]
SignedCount = Annotated[int, msgspec.Meta(ge=-MAX_MEASURE, le=MAX_MEASURE)]
SomeTokens = Annotated[int, msgspec.Meta(gt=0, le=MAX_MEASURE)]
CallerId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
ModelName = Annotated[str, msgspec.Meta(max_length=128)]
NO_ATTRIBUTES: Final = msgspec.Raw(b"")
Timestamp = Annotated[datetime, msgspec.Meta(tz=True)] | int | float


class Event(msgspec.Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    """One event of usage; fields, units and limits as in docs/events.md. `timestamp` is RFC 3339 or Unix seconds.

    `attributes` is a map as JSON. It is read where it is known which of its names are declared.
    """

    id: CallerId
    timestamp: Timestamp
    usage_type: str
    model: ModelName = ""
    api_key_id: str | None = None
    organization: str | None = None
    project: str | None = None
    attributes: msgspec.Raw = NO_ATTRIBUTES
    service_tier: str | None = None
    batch: bool = False
    provider: str | None = None
    speed: str | None = None
    region: str | None = None
    num_model_requests: Count = 1
    input_tokens: Count = 0
    input_cached_tokens: Count = 0
    input_cache_write_tokens: Count = 0
    input_cache_write_long_tokens: Count = 0
    input_audio_tokens: Count = 0
    input_image_tokens: Count = 0
    input_video_tokens: Count = 0
    output_tokens: Count = 0
    output_audio_tokens: Count = 0
    output_image_tokens: Count = 0
    output_reasoning_tokens: Count = 0
    images: Count = 0
    seconds: Count = 0
    characters: Count = 0
    usage_bytes: Count = 0
    num_sessions: Count = 0


class PlainEvent(msgspec.Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    """What most events are: one request for completions with input and output, for the caller's own organization, at the usual
    speed, anywhere, without rare measures.

    It reads like an Event. Its type says what else had to be asked of each, and half as many fields have to be filled.
    """

    id: CallerId
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    usage_type: Literal["completions"]
    model: ModelName
    api_key_id: str | None = None
    organization: ClassVar[None] = None
    project: str | None = None
    attributes: msgspec.Raw = NO_ATTRIBUTES
    service_tier: str | None = None
    batch: bool = False
    provider: str | None = None
    speed: ClassVar[None] = None
    region: ClassVar[None] = None
    num_model_requests: Literal[1] = 1
    input_tokens: SomeTokens
    input_cached_tokens: Count = 0
    input_cache_write_tokens: ClassVar[int] = 0
    input_cache_write_long_tokens: ClassVar[int] = 0
    input_audio_tokens: ClassVar[int] = 0
    input_image_tokens: ClassVar[int] = 0
    input_video_tokens: ClassVar[int] = 0
    output_tokens: SomeTokens
    output_audio_tokens: ClassVar[int] = 0
    output_image_tokens: ClassVar[int] = 0
    output_reasoning_tokens: Count = 0
    images: ClassVar[int] = 0
    seconds: ClassVar[int] = 0
    characters: ClassVar[int] = 0
    usage_bytes: ClassVar[int] = 0
    num_sessions: ClassVar[int] = 0


def is_plain(event: object) -> bool:
    """Whether it is an Event, as other formats make them, that could be a PlainEvent."""
    return (
        type(event) is Event
        and event.usage_type == "completions"
        and type(event.timestamp) is datetime
        and event.timestamp.tzinfo is UTC
        and event.num_model_requests == 1
        and event.input_tokens > 0
        and event.output_tokens > 0
        and not (event.organization or event.speed or event.region)
        and not (event.input_cache_write_tokens or event.input_cache_write_long_tokens or event.input_audio_tokens)
        and not (event.input_image_tokens or event.input_video_tokens)
        and not (event.output_audio_tokens or event.output_image_tokens)
        and not (event.images or event.seconds or event.characters or event.usage_bytes or event.num_sessions)
    )


class Correction(msgspec.Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    """An event that changes what an earlier one reported: `corrects` names it, the signed measures are added to its own.

    It is for what its event is for, whatever `project` and `attributes` say.
    """

    id: CallerId
    timestamp: Timestamp
    usage_type: str
    corrects: CallerId
    model: ModelName = ""
    api_key_id: str | None = None
    organization: str | None = None
    project: str | None = None
    attributes: msgspec.Raw = NO_ATTRIBUTES
    service_tier: str | None = None
    batch: bool = False
    provider: str | None = None
    speed: str | None = None
    region: str | None = None
    num_model_requests: SignedCount = 0
    input_tokens: SignedCount = 0
    input_cached_tokens: SignedCount = 0
    input_cache_write_tokens: SignedCount = 0
    input_cache_write_long_tokens: SignedCount = 0
    input_audio_tokens: SignedCount = 0
    input_image_tokens: SignedCount = 0
    input_video_tokens: SignedCount = 0
    output_tokens: SignedCount = 0
    output_audio_tokens: SignedCount = 0
    output_image_tokens: SignedCount = 0
    output_reasoning_tokens: SignedCount = 0
    images: SignedCount = 0
    seconds: SignedCount = 0
    characters: SignedCount = 0
    usage_bytes: SignedCount = 0
    num_sessions: SignedCount = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one event was not stored: a stable code for programs and a sentence for people.

    `event_id` and `key` are the names that an event which could not be read gave itself and its key, where they are known.
    """

    code: str
    message: str
    event_id: str = field(default="", compare=False, repr=False)
    key: str = field(default="", compare=False, repr=False)
    api_key_id: ClassVar[None] = None  # a refused event names no key and no organization
    organization: ClassVar[None] = None


Item: TypeAlias = PlainEvent | Event | Correction | Refusal
"""What an item of a body is read as."""


class UnreadableError(Exception):
    """The request as a whole cannot be read, so that no event of it was looked at. `retry_after` is in seconds, if it helps;
    a server that is busy is asked again at once."""

    def __init__(self, code: str, message: str, status: int = 400, *, retry_after: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.retry_after = 1 if status == HTTPStatus.SERVICE_UNAVAILABLE else retry_after


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a body holds: events in its order, with a Refusal in the place of each that cannot be read.

    An item of some formats gives several events, one behind the other: then `sizes` says how many are of each item.
    `changes` counts what was normalised on the way, by (kind of source, rule); `ignored` the items that say nothing of usage,
    or what others say, by rule: they are neither events nor refused.
    """

    events: Sequence[Item]
    sizes: Sequence[int] | None = None
    changes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    ignored: Mapping[str, int] = field(default_factory=dict)
