"""Calls that say in words what one before them said, as most do: only their counts, id and moment are read anew.

What a call's words mean (key, model, tier, tags and all) takes three times as long as to see that they came before.
"""

from collections.abc import Callable, Mapping
from copy import copy
from datetime import UTC, datetime
from functools import partial
from typing import Final

import msgspec

from apikeys import directory
from metering.intake.formats.events import Event, Refusal, Timestamp
from metering.intake.sources.identity import event_id
from metering.intake.sources.litellm.payload import NOTHING, Metadata, Payload, Response
from metering.intake.sources.litellm.purposes import NO_METADATA
from metering.intake.sources.litellm.usage import plain_measures

MAX_REMEMBERED: Final = 20_000
MAX_REMEMBERED_BYTES: Final = 2_048
"""Of all its words; a call that says more is read every time."""
Words = tuple[str | bytes | None, ...]
Whose = tuple[str, msgspec.Raw]
"""Public id of the key, and the attributes of its event."""


class Kind(msgspec.Struct, gc=False):
    """Calls that say the same of what they were: what makes an event of this kind, and of whom it was for which words."""

    make: Callable[[], Event]
    whose: dict[Words, Whose] = msgspec.field(default_factory=dict)


class Usual:
    """What calls have said in words. There are few kinds and many keys, and memory that was not used of late is slow: so what
    calls of a kind have in common is kept once. It holds as long as the names of keys do."""

    def __init__(self, names: Mapping[bytes, str]) -> None:
        self.names = names
        self._kinds: dict[Words, Kind] = {}
        self._num_remembered = 0

    def event_of(self, payload: Payload | Refusal) -> Event | None:
        """The event of a call that says nothing new in words; None for all others."""
        if type(payload) is not Payload or not payload.id or (of_kind := _kind(payload)) is None:
            return None
        kind = self._kinds.get(of_kind)
        if kind is None or (whose := kind.whose.get(_whose(payload))) is None:
            return None
        measures = plain_measures(payload)
        if measures is None:
            return None
        event = kind.make()
        event.id = event_id(payload.id)
        event.timestamp = moment(payload.ended_at)
        event.api_key_id, event.attributes = whose
        event.input_tokens = measures["input_tokens"]
        event.output_tokens = measures["output_tokens"]
        event.input_cached_tokens = measures.get("input_cached_tokens", 0)
        event.output_reasoning_tokens = measures.get("output_reasoning_tokens", 0)
        return event

    def remember(self, payload: Payload, event: Event) -> None:
        """That this is the event of a plain call with these words (`calls.plain_event`)."""
        of_kind, whose = _kind(payload), _whose(payload)
        if event.api_key_id is None or of_kind is None:
            return
        if sum(len(word) for word in (*of_kind, *whose) if word) > MAX_REMEMBERED_BYTES:
            return
        if self._num_remembered >= MAX_REMEMBERED:
            self._num_remembered = 0
            self._kinds.clear()
        self._num_remembered += 1
        kind = self._kinds.setdefault(of_kind, Kind(partial(copy, copy(event))))
        kind.whose[whose] = event.api_key_id, event.attributes


_usual = Usual({})


def usual() -> Usual:
    """What this process has seen so far."""
    global _usual  # noqa: PLW0603 - one memory per process is the point
    names = directory.remembered().key_ids
    found = _usual
    if found.names is not names:
        found = _usual = Usual(names)
    return found


def moment(end: Timestamp) -> Timestamp:
    """The millisecond in which a call ended, as LiteLLM's table keeps it, which cuts off what its callback says beyond: both are
    the same event. What no calendar holds stays as it is, to be refused."""
    if not isinstance(end, datetime):
        try:
            end = datetime.fromtimestamp(end, UTC)
        except (OverflowError, ValueError, OSError):
            return end
    return end.replace(microsecond=end.microsecond // 1000 * 1000)


def _kind(payload: Payload) -> Words | None:
    """What a plain call was; None for a call that is none, or may be no usage."""
    metadata, response = payload.metadata, payload.response
    if type(metadata) is not Metadata or type(response) is not Response or response.output is not NOTHING:
        return None
    if payload.cache_hit or payload.status == "failure":
        return None
    return (
        payload.call_type,
        payload.custom_llm_provider,
        payload.model,
        bytes(payload.request_tags),
        bytes(payload.model_parameters),
        bytes(response.model),
        bytes(response.service_tier),
    )


def _whose(payload: Payload) -> Words:
    """Whose a call was, and what for, as far as `_kind` does not say."""
    metadata = payload.metadata or NO_METADATA
    return (
        metadata.user_api_key_hash,
        metadata.user_api_key_org_id,
        metadata.user_api_key_team_id,
        metadata.user_api_key_team_alias,
        metadata.user_api_key_user_id,
        metadata.user_api_key_end_user_id,
        payload.end_user,
        bytes(metadata.requester_metadata),
        bytes(metadata.spend_logs_metadata),
    )
