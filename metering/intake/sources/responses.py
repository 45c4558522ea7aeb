"""Answers of providers as they are → events. An item says who answered and by which API, and holds the answer or its usage.

Of the answer only what `providers` reads is ever made an object of; what was asked and answered is neither kept nor logged.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from django.conf import settings

from metering.intake.formats.events import NO_ATTRIBUTES, Count, Decoded, Event, Refusal, Timestamp, UnreadableError
from metering.intake.formats.items import UNREADABLE, items, limited, patiently_decoded
from metering.intake.formats.native import named, refusal_of
from metering.intake.sources.identity import event_id
from metering.intake.sources.names import MAX_LENGTH, provider_of, tier_of
from metering.intake.sources.normaliser import NotACountError
from metering.intake.sources.providers.apis import API, NAMES, api_of
from metering.intake.sources.providers.reading import NoUsageError, Reading, Seconds, whole_seconds
from metering.intake.sources.readings import RefusedError, events_beside, measures_of

NOTHING: Final = (b"", b"null")
NO_TEXT: Final = msgspec.Raw()
USAGE_FIELDS: Final = ("usage`", "usageMetadata`", "usage_metadata`")
NO_COUNT: Final = ("Expected `int", "Expected `float", "Integer value out of range")
UNREADABLE_CODES: Final = frozenset({"invalid_json", "invalid_utf8"})


class Item(msgspec.Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    """One answer of a provider; fields as in docs/provider-responses.md."""

    provider: str
    timestamp: Timestamp
    api: str | None = None
    response: msgspec.Raw = NO_TEXT
    usage: msgspec.Raw = NO_TEXT
    id: str | None = None
    model: str | None = None
    api_key_id: str | None = None
    organization: str | None = None
    project: str | None = None
    attributes: msgspec.Raw = NO_ATTRIBUTES
    service_tier: str | None = None
    batch: bool | None = None
    speed: str | None = None
    region: str | None = None
    images: Count | None = None
    seconds: Seconds | None = None
    characters: Count | None = None


class Limits(NamedTuple):
    """Bytes that an item may have, and that it may have beside the provider's answer."""

    item: int
    beside_answer: int


_item: Final = msgspec.json.Decoder(Item)


def decode(body: bytes, *, lines: bool) -> Decoded:
    """The events of a body of items, with a Refusal in the place of each item that cannot be read.

    `lines` says that the sender declared NDJSON. Raises UnreadableError for a body without items, or with too many.
    """
    changes: Counter[tuple[str, str]] = Counter()
    limits = Limits(settings.FOREIGN_ITEM_MAX_BYTES, settings.USAGE_EVENT_MAX_TEXT_BYTES)
    by_item = [_events_of(text, limits, changes) for text in items(body, lines=lines)]
    events = limited([event for events in by_item for event in events])
    if len(events) == 1 and isinstance(only := events[0], Refusal) and only.code in UNREADABLE_CODES:
        raise UnreadableError(only.code, only.message)
    sizes = None if len(events) == len(by_item) else [len(of_item) for of_item in by_item]  # none is empty
    return Decoded(events, sizes=sizes, changes=changes)


def _events_of(text: bytes, limits: Limits, changes: Counter[tuple[str, str]]) -> Sequence[Event | Refusal]:
    try:
        item = _readable(text, limits)
        provider = _provider(item)
        api = _api(provider, item.api or "")
        reading = _reading(item, api)
        event, changed = _event_of(item, reading, _id(item, reading), provider)
        beside, changed_beside = events_beside(event, reading)
    except (RefusedError, NotACountError) as error:
        return (named(error.refusal, text),)
    if changed or changed_beside:
        changes.update((api.name, rule) for rule in (*changed, *changed_beside))
    return (event, *beside)


def _readable(text: bytes, limits: Limits) -> Item:
    """Raises RefusedError."""
    if len(text) > limits.item:
        raise RefusedError("event_too_large", f"An item can have at most {limits.item:,} bytes.")
    try:
        item = patiently_decoded(_item, text)
    except msgspec.ValidationError as error:
        refusal = refusal_of(str(error))
        raise RefusedError(refusal.code, refusal.message) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise RefusedError("invalid_json", f"This is not valid JSON: {error}.") from error
    except UnicodeDecodeError as error:
        raise RefusedError("invalid_utf8", "The text of this item is not valid UTF-8.") from error
    most = limits.beside_answer
    if len(text) > most and len(text) - len(bytes(item.response)) - len(bytes(item.usage)) > most:
        raise RefusedError("event_too_large", f"Beside the answer an item can have at most {most:,} bytes.")
    return item


def _provider(item: Item) -> str:
    provider = provider_of(item.provider)
    if not provider:
        raise RefusedError("invalid_provider", "`provider` must be the name of who answered.")
    return provider


def _api(provider: str, name: str) -> API:
    api = api_of(provider, name) if len(name) <= MAX_LENGTH else None
    if api is None:
        raise RefusedError("unknown_api", f"`api` must be one of {', '.join(NAMES)}.")
    return api


def _reading(item: Item, api: API) -> Reading:
    """Raises RefusedError, or NotACountError."""
    try:
        return api.read(_answer(item, api))
    except NoUsageError as error:
        raise _no_usage(api) from error
    except msgspec.ValidationError as error:
        raise _unreadable_answer(api, str(error)) from error
    except UNREADABLE as error:
        raise RefusedError(
            "invalid_json", "The response is not valid JSON, or not UTF-8, where its usage is."
        ) from error


def _answer(item: Item, api: API) -> bytes:
    """The JSON of the provider's answer, made around its usage when that came alone."""
    if item.usage is not NO_TEXT and (usage := bytes(item.usage)) not in NOTHING:
        return usage.join(api.around)
    if item.response is not NO_TEXT and (response := bytes(item.response)) not in NOTHING:
        return response
    if api.may_be_silent:
        return b"{}"
    raise RefusedError("no_usage", "Send the provider's `response`, or its `usage`.")


def _no_usage(api: API) -> RefusedError:
    return RefusedError("no_usage", f"This says nothing of usage that can be read as that of the API {api.name}.")


def _unreadable_answer(api: API, problem: str) -> RefusedError:
    """msgspec's sentence names the place and the kinds, and no value."""
    if problem.startswith("Object missing required field") or problem.endswith(USAGE_FIELDS):
        return RefusedError(
            "no_usage", f"This cannot be read as an answer of the API {api.name}, which `api` says: {problem}."
        )
    code = "invalid_measure" if problem.startswith(NO_COUNT) else "invalid_response"
    return RefusedError(code, f"This cannot be read as an answer of the API {api.name}: {problem}.")


def _id(item: Item, reading: Reading) -> str:
    found = event_id(item.id or reading.id or "")
    if not found:
        raise RefusedError("invalid_id", "The response has no id of its own; send one as `id`.")
    return found


def _event_of(item: Item, reading: Reading, own_id: str, provider: str) -> tuple[Event, Sequence[str]]:
    """The event of the request itself, and the rules that changed something. Raises RefusedError."""
    measures, changes = measures_of(reading, _units(item, reading))
    tier = tier_of(reading.service_tier or item.service_tier)
    if tier.change:
        changes += (tier.change,)
    event = Event(
        id=own_id,
        timestamp=item.timestamp,
        usage_type=reading.usage_type,
        model=reading.model or item.model or "",
        api_key_id=item.api_key_id or None,
        organization=item.organization or None,
        project=item.project or None,
        attributes=item.attributes if item.attributes is NO_ATTRIBUTES else _attributes(item),
        provider=provider,
        service_tier=tier.service_tier,
        batch=tier.batch or reading.batch or bool(item.batch),
        speed=reading.speed or item.speed or None,
        region=reading.region or item.region or None,
        **measures,
    )
    return event, changes


def _attributes(item: Item) -> msgspec.Raw:
    return NO_ATTRIBUTES if bytes(item.attributes) in NOTHING else item.attributes


def _units(item: Item, reading: Reading) -> Mapping[str, int]:
    """What the sender says beside the answer, before what the answer says."""
    if item.images is item.seconds is item.characters is None:
        return reading.units
    said = {
        "images": item.images,
        "seconds": None if item.seconds is None else whole_seconds(item.seconds),
        "characters": item.characters,
    }
    return {**reading.units, **{name: count for name, count in said.items() if count is not None}}
