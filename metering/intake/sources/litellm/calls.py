"""Calls as LiteLLM's proxy logs them (`callback_type: generic_api`) → events; fields as in docs/litellm.md."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec
from django.conf import settings

from apikeys import directory, secrets
from metering.intake.formats.events import Decoded, Event, Refusal, UnreadableError
from metering.intake.formats.items import (
    MAX_EVENTS,
    MAX_FIELDS,
    UNREADABLE,
    items,
    limited,
    patiently_decoded,
    stripped,
)
from metering.intake.received import shown
from metering.intake.sources.identity import event_id
from metering.intake.sources.litellm.payload import NOTHING, Metadata, Payload, Response
from metering.intake.sources.litellm.purposes import NO_METADATA, attributes_of
from metering.intake.sources.litellm.usage import model_of, plain_measures, reading_of, tier_asked_for, tier_word_of
from metering.intake.sources.litellm.usual import moment, usual
from metering.intake.sources.names import provider_of, tier_of
from metering.intake.sources.readings import RefusedError, events_beside, measures_of

IGNORED_CALL: Final = "call_type"
IGNORED_FAILURE: Final = "failure"
IGNORED_CACHE_HIT: Final = "cache_hit"
_CALLS: Final = {
    "completions": (
        *("completion", "text_completion", "responses", "generate_content", "generate_content_stream"),
        *("anthropic_messages", "_arealtime", "_aresponses_websocket"),
    ),
    "embeddings": ("embedding",),
    "moderations": ("moderation",),
    "images": ("image_generation", "image_edit", "image_variation"),
    "audio_transcriptions": ("transcription",),
    "audio_speeches": ("speech",),
}
USAGE_TYPES: Final = {
    name: usage_type for usage_type, calls in _CALLS.items() for call in calls for name in (call, f"a{call}")
}
"""Call type → usage type. All others are no usage, or are logged as one of these as well."""
UNREADABLE_CODES: Final = frozenset({"invalid_json", "invalid_utf8"})
OWN_ORGANIZATION: Final = re.compile(r"org_[0-9A-Za-z]{17}")
FEW_BYTES: Final = 4 * 1024 * 1024
"""A shorter array is read without being counted first: a payload that can be read has some fifty bytes."""
COUNTS: Final = ("Expected `int", "Integer value out of range")


class Names(msgspec.Struct, gc=False):
    """What tells a payload that cannot be read from others."""

    id: Any = None
    metadata: Metadata | None = None


_payloads: Final = msgspec.json.Decoder(list[Payload])
_payload: Final = msgspec.json.Decoder(Payload)
_names: Final = msgspec.json.Decoder(Names)


def decode(body: bytes, *, lines: bool) -> Decoded:
    """The events of a body, with a Refusal in the place of each payload that cannot be read. A call that is no usage has none.

    `lines` says that the sender declared NDJSON. Raises UnreadableError for a body without payloads, or with too many.
    """
    payloads = _all(body, lines=lines)
    remembered = usual()
    quick = [remembered.event_of(payload) for payload in payloads]
    changes: Counter[tuple[str, str]] = Counter()
    ignored: Counter[str] = Counter()
    if all(event is not None for event in quick):
        return Decoded(limited(quick), changes=changes, ignored=ignored)  # type: ignore[arg-type] # None is not in it
    known = _known_keys([payload for payload, event in zip(payloads, quick, strict=True) if event is None])
    events: list[Event | Refusal] = []
    sizes = []
    for payload, event in zip(payloads, quick, strict=True):
        before = len(events)
        if event is not None:
            events.append(event)
        elif isinstance(payload, Refusal):
            events.append(payload)
        elif reason := reason_to_ignore(payload):
            ignored[reason] += 1
        elif (plain := plain_event(payload, known)) is not None:
            remembered.remember(payload, plain)
            events.append(plain)
        else:
            events += events_of(payload, known, changes)
        sizes.append(len(events) - before)
    limited(events)
    return Decoded(events, sizes=None if all(size == 1 for size in sizes) else sizes, changes=changes, ignored=ignored)


def _all(body: bytes, *, lines: bool) -> Sequence[Payload | Refusal]:
    """In one pass when all is well; else one by one, to tell the good from the bad."""
    text = stripped(body)
    if text[:1] == b"[" and not lines and (len(text) <= FEW_BYTES or text.count(b",") <= MAX_EVENTS * MAX_FIELDS):
        try:
            return limited(_payloads.decode(text))
        except UNREADABLE:
            pass
    found = [_one(item) for item in items(text, lines=lines)]
    if len(found) == 1 and isinstance(only := found[0], Refusal) and only.code in UNREADABLE_CODES:
        raise UnreadableError(only.code, only.message)
    return found


def _one(text: bytes) -> Payload | Refusal:
    try:
        return patiently_decoded(_payload, text)
    except msgspec.ValidationError as error:
        return _named(_refusal_of(str(error)), text)
    except (msgspec.DecodeError, RecursionError) as error:
        return Refusal("invalid_json", f"This is not valid JSON: {error}.")
    except UnicodeDecodeError:
        return Refusal("invalid_utf8", "The text of this payload is not valid UTF-8.")


def _refusal_of(problem: str) -> Refusal:
    """msgspec's sentence names the place and the kinds, and no value."""
    if problem.startswith("Object missing required field"):
        return Refusal("missing_field", f"{problem}.")
    code = "invalid_measure" if problem.startswith(COUNTS) and "$" in problem else "invalid_event"
    if problem.endswith("`$.endTime`"):
        code = "invalid_timestamp"
    return Refusal(code, f"{problem.replace('$.', '')}.")


def _named(refusal: Refusal, text: bytes) -> Refusal:
    try:
        names = _names.decode(text)
    except UNREADABLE:
        return refusal
    key = (names.metadata or NO_METADATA).user_api_key_hash or ""
    return replace(refusal, event_id=names.id if isinstance(names.id, str) else "", key=key)


def reason_to_ignore(payload: Payload) -> str | None:
    """The rule by which the call is no usage; None if it is."""
    if payload.call_type not in USAGE_TYPES:
        return IGNORED_CALL
    if payload.cache_hit in (True, "True", "true") and not settings.LITELLM_COUNT_CACHE_HITS:
        return IGNORED_CACHE_HIT
    if payload.status == "failure" and not (payload.prompt_tokens or payload.completion_tokens or payload.total_tokens):
        return IGNORED_FAILURE
    return None


def _known_keys(payloads: Sequence[Payload | Refusal]) -> Mapping[str | None, str]:
    """Public ids of the keys by what the payloads call them; those that nobody here has are not in it."""
    hashes = {
        payload.metadata.user_api_key_hash for payload in payloads if isinstance(payload, Payload) and payload.metadata
    }
    digests = {named: digest for named in hashes if (digest := _digest(named)) is not None}
    found = directory.remembered().names_of(digests.values())
    return {named: found[digest] for named, digest in digests.items() if digest in found}


def _digest(named: str | None) -> bytes | None:
    """LiteLLM sends SHA-256 of the key in hex; earlier versions also sent the key itself."""
    if not named:
        return None
    if shown.DIGEST.fullmatch(named):
        return bytes.fromhex(named)
    return secrets.digest(named) if named.startswith(secrets.API_KEY_PREFIX) else None


def plain_event(payload: Payload, known: Mapping[str | None, str]) -> Event | None:
    """The event of a completion by a key that is known, which says nothing beyond the usual: in less time."""
    metadata, response = payload.metadata, payload.response
    if (
        type(response) is not Response
        or metadata is None
        or USAGE_TYPES[payload.call_type] != "completions"
        or response.output is not NOTHING
        or metadata.user_api_key_org_id
        or not payload.id
        or (key := known.get(metadata.user_api_key_hash)) is None
        or (measures := plain_measures(payload)) is None
        or (tier := tier_of(tier_word_of(response) or tier_asked_for(payload))).change is not None
    ):
        return None
    return Event(
        id=event_id(payload.id),
        timestamp=moment(payload.ended_at),
        usage_type="completions",
        model=model_of(payload, response),
        api_key_id=key,
        attributes=attributes_of(payload),
        provider=provider_of(payload.custom_llm_provider),
        service_tier=tier.service_tier,
        batch=tier.batch,
        **measures,  # type: ignore[arg-type]  # the names of measures
    )


def events_of(
    payload: Payload, known: Mapping[str | None, str], changes: Counter[tuple[str, str]]
) -> Sequence[Event | Refusal]:
    """The call's event, and those of the tools that were used in it."""
    usage_type = USAGE_TYPES[payload.call_type]
    metadata = payload.metadata or NO_METADATA
    try:
        own_id = _id(payload)
        key = _key(metadata, known)
        reading = reading_of(payload, usage_type)
        measures, changed = measures_of(reading, reading.units)
    except RefusedError as error:
        named = metadata.user_api_key_hash or metadata.user_api_key_alias or ""
        return (replace(error.refusal, event_id=payload.id, key=named),)
    tier = tier_of(reading.service_tier)
    event = Event(
        id=own_id,
        timestamp=moment(payload.ended_at),
        usage_type=usage_type,
        model=reading.model or "",
        api_key_id=key,
        organization=_organization(metadata.user_api_key_org_id),
        attributes=attributes_of(payload),
        provider=provider_of(payload.custom_llm_provider),
        service_tier=tier.service_tier,
        batch=tier.batch,
        speed=reading.speed,
        region=reading.region,
        **measures,  # type: ignore[arg-type]  # the names of measures
    )
    beside, changed_beside = events_beside(event, reading)
    if changed or changed_beside or tier.change:
        changes.update((usage_type, rule) for rule in (*changed, *changed_beside, tier.change) if rule)
    return (event, *beside)


def _id(payload: Payload) -> str:
    if not payload.id:
        raise RefusedError("invalid_id", "The payload has an empty `id`.")
    return event_id(payload.id)


def _key(metadata: Metadata, known: Mapping[str | None, str]) -> str | None:
    """The public id by the hash, or by an alias that is one. None if the payload names no key. Raises RefusedError."""
    named = metadata.user_api_key_hash
    if (found := known.get(named)) is not None:
        return found
    alias = metadata.user_api_key_alias
    if alias and shown.OWN_ID.fullmatch(alias):
        return alias
    if named:
        raise RefusedError(
            "unknown_api_key",
            f"No API key has the hash {shown.key_name(named)}…; import the key, and send this again.",
        )
    return None


def _organization(named: str | None) -> str | None:
    """LiteLLM's organization, if it has one of our ids."""
    return named if named and OWN_ORGANIZATION.fullmatch(named) else None
