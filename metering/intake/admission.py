"""One request's view of time and directory: turns its checked events into rows, or says why not."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import blake2b
from operator import attrgetter
from typing import Any, Final, Self

from django.conf import settings

from accounts.pages.words import counted
from accounts.periods import month_of
from apikeys.directory import Caller, Directory
from apikeys.routing import KeyHistory, NotAMemberError, earlier_homes, purpose_of_key, route
from metering.attributions.memory import Wanted, of_month
from metering.attributions.purpose import InvalidAttributeError, UnknownProjectError, purpose
from metering.intake import copy_rows, skus
from metering.intake.checks import check, utc
from metering.intake.copy_rows import ACCEPTED, Outcome, RowParts, Undeclared, microseconds, plain_row
from metering.intake.formats.events import NO_ATTRIBUTES, Correction, PlainEvent, Refusal, is_plain
from metering.intake.history.reach import Reach
from metering.intake.skus import SaidOfSku, SkuKey
from metering.measures import CONTEXT_BANDS, MEASURES

MAX_CALLERS: Final = 100_000
MAX_REMEMBERED_BYTES: Final = 1_024
ALWAYS: Final = -(2**63)
UNKNOWN_PROJECT: Final = Refusal("unknown_project", "The organization that the event counts in has no such `project`.")
SHORT_CONTEXT: Final = CONTEXT_BANDS[0]
NOTHING_INSTEAD: Final[Mapping[tuple[int, SkuKey], SkuKey | Refusal]] = {}
NO_NAMES: Final = frozenset({None, ""})
_empty_hash: Final = blake2b(digest_size=16)
_measures: Final = attrgetter(*MEASURES)


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when events are accepted: at most `ahead` after the moment it is made for, which is in `month`.

    With a `reach` also older ones, as far as that goes.
    """

    month: date
    ahead: timedelta
    oldest: datetime
    newest: datetime
    reach: Reach | None = None

    @classmethod
    def at(cls, now: datetime) -> Self:
        ahead = timedelta(seconds=settings.USAGE_EVENT_MAX_AHEAD_SECONDS)
        return cls(
            month_of(now.date()).start,
            ahead,
            oldest=now - timedelta(days=settings.USAGE_EVENT_MAX_AGE_DAYS),
            newest=now + ahead,
        )

    def holds(self, at: datetime) -> bool:
        """Whether events of this moment may be accepted."""
        return (self.oldest if self.reach is None else min(self.oldest, self.reach.oldest)) <= at <= self.newest

    def refusal(self, organization_id: int, at: datetime) -> Refusal | None:
        """Why one of a moment that it holds is not accepted in the organization; None if it is."""
        if self.reach is None or at >= self.oldest:
            return None
        return self.reach.refusal(organization_id, at)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an event counts. Behind its organization are those in which it may be stored already."""

    key: KeyHistory
    routing: int
    organization_ids: tuple[int, ...]
    at: datetime
    moment: int


@dataclass(frozen=True, slots=True)
class PostponedCorrection:
    """A correction whose event must be looked at before anything else is known (`metering.intake.corrections`).

    `place` in `outcomes` is its outcome's; `organization_ids` are where the event may be stored, the likeliest first.
    """

    outcomes: list[Outcome]
    place: int
    organization_ids: tuple[int, ...]
    moment: int
    event_id: bytes
    corrects: bytes
    api_key_id: int
    sku: SaidOfSku
    measures: tuple[int, ...]


class Admission:
    """What becomes of a request's events before any of them is stored.

    `rows`, `moments` and `places` belong together: the row of each admitted event, its microseconds since 2000, and its
    place in the request. `outcomes` has an entry per event. `homes` are (place, organization) in which an admitted event
    may be stored already. `corrections` are admitted as far as can be told without their events. `missing_skus` are those that
    this process does not know, with the organizations whose events are of them, and `missing_attributions` what else it does
    not know: then nothing may be stored yet. `instead` says what SKUs that are not to be had become. `undeclared` are names of
    attributes that were dropped.
    """

    def __init__(
        self,
        known: Directory,
        caller: Caller,
        *,
        window: Window,
        batch_id: int,
        instead: Mapping[tuple[int, SkuKey], SkuKey | Refusal] = NOTHING_INSTEAD,
    ) -> None:
        self.known = known
        self.caller = caller
        self.batch_id = batch_id
        self.window = window
        self.memory = of_month(window.month)
        self.instead = instead
        self.rows: list[bytes] = []
        self.moments: list[int] = []
        self.places: list[int] = []
        self.homes: list[tuple[int, int]] = []
        self.outcomes: list[Outcome] = []
        self.corrections: list[PostponedCorrection] = []
        self.missing_skus: dict[SkuKey, set[int]] = {}
        self.missing_attributions: dict[Wanted, None] = {}
        self.undeclared: list[Undeclared] = []

    def admit_all(self, events: Sequence[Any]) -> None:
        """Admit or refuse every event."""
        self.outcomes = [ACCEPTED] * len(events)
        others = self._admit_plain(events)
        self.places = sorted(set(range(len(events))).difference(others)) if others else list(range(len(events)))
        if others:
            self._admit_others(events, others)

    def _admit_plain(self, events: Sequence[Any]) -> list[int]:
        """Check and pack at once what is plain, as most events by far are: completions of a short context, without rare
        measures, by a key whose events all go the same way, for something that the key's events were for before.

        Returns the places of the others, which take the longer way.
        """
        parts_of, plain_parts, memory, noted = self._parts(), skus.plain_parts, self.memory, self.undeclared
        oldest, newest = microseconds(self.window.oldest), microseconds(self.window.newest)
        batch, most = copy_rows.batch_part(self.batch_id), settings.USAGE_EVENT_MAX_MEASURE
        short, nothing, new_hash = min(SHORT_CONTEXT, most), NO_ATTRIBUTES, _empty_hash.copy
        add_moment, add_row = self.moments.append, self.rows.append
        others = []
        for place, event in enumerate(events):
            if (
                (type(event) is PlainEvent or is_plain(event))
                and (sku := plain_parts.get((event.model, event.service_tier, event.batch, event.provider))) is not None
                and (parts := parts_of.get(event.api_key_id)) is not None
                and oldest <= (moment := microseconds(event.timestamp)) <= newest
                and parts.since <= moment
                and parts.memory is memory
                and (output_tokens := event.output_tokens) <= most
                and (cached := event.input_cached_tokens) <= (tokens := event.input_tokens) <= short
                and (reasoning := event.output_reasoning_tokens) <= output_tokens
                and " " not in (caller_id := event.id)
                and caller_id.isprintable()
                and (
                    key := parts.said(event, noted) if event.project or event.attributes is not nothing else parts.plain
                )
            ):
                add_moment(moment)
                hashed, who = new_hash(), parts.organization
                hashed.update(caller_id.encode())
                event_id = hashed.digest()
                add_row(plain_row(who, moment, event_id, key, sku, batch, 1, tokens, cached, output_tokens, reasoning))
            else:
                others.append(place)
        return others

    def used_keys(self, events: Sequence[Any]) -> AbstractSet[str]:
        """Public ids of the keys that the events are of."""
        if self.caller.key is not None:
            return {self.caller.key.public_id}
        return {event.api_key_id for event in events} & self.known.keys.keys()

    def _admit_others(self, events: Sequence[Any], places: Sequence[int]) -> None:
        self._learn([events[place] for place in places])
        for place in places:
            event = events[place]
            sku_key = event if isinstance(event, Refusal) else check(event)
            self.outcomes[place] = sku_key if isinstance(sku_key, Refusal) else self._admit(place, event, sku_key)

    def _admit(self, place: int, event: Any, sku_key: SkuKey) -> Outcome:
        found = self._destination(event)
        if isinstance(found, Refusal):
            return found
        organization_id, *homes = found.organization_ids
        if isinstance(event, Correction):
            return self._correct(place, event, sku_key, found)
        caller = self._caller_part(event, found)
        if isinstance(caller, Refusal):
            return caller
        sku = skus.part_of(sku_key) or self._part_instead(sku_key, organization_id)
        if sku is None:
            return self._miss(sku_key, organization_id)
        if isinstance(sku, Refusal):
            return sku
        self.homes.extend((place, home) for home in homes)
        self.places.append(place)
        self.moments.append(found.moment)
        self.rows.append(
            copy_rows.any_row(
                copy_rows.organization_part(organization_id),
                found.moment,
                _event_id(event.id),
                caller,
                sku,
                self.batch_id,
                None,
                _measures(event),
            )
        )
        return ACCEPTED

    def _destination(self, event: Any) -> Destination | Refusal:
        at = utc(event.timestamp)
        if at is None or not self.window.holds(at):
            return self._out_of_window(at)
        key = self._key(event.api_key_id)
        if isinstance(key, Refusal):
            return key
        if key.ended_at is not None and at >= key.ended_at:
            return Refusal("key_ended", "The API key was revoked or had expired at the event's time.")
        named = self.known.organization_ids.get(event.organization, 0) if event.organization else None
        try:
            organization_id, routing = route(key, named=named, at=at)
        except NotAMemberError:
            return Refusal("not_a_member", "The API key's user was not in the named organization at the event's time.")
        if refusal := self.window.refusal(organization_id, at):
            return refusal
        has_moved = named is None and len(key.defaults) > 1
        homes = earlier_homes(key, at=at, ahead=self.window.ahead) if has_moved else ()
        return Destination(key, routing, (organization_id, *homes), at, microseconds(at))

    def _caller_part(self, event: Any, found: Destination) -> bytes | Refusal:
        """The part of the row that says by whom, why here, and what for."""
        organization_id, key = found.organization_ids[0], found.key
        raw = bytes(event.attributes)
        of_key = purpose_of_key(key, organization_id, found.at)
        try:
            meant = purpose(self.known.declarations(organization_id), of_key, event.project, raw)
        except UnknownProjectError:
            return UNKNOWN_PROJECT
        except InvalidAttributeError as error:
            return Refusal("invalid_attribute", str(error))
        undeclared = (organization_id, meant.undeclared) if meant.undeclared else None
        if undeclared:
            self.undeclared.append(undeclared)
        attribution_id = self.memory.id_of(organization_id, meant.project, meant.values)
        if attribution_id is None:
            self.missing_attributions[organization_id, meant.project, meant.values] = None
            return b""
        part = copy_rows.caller_part(key.user_id, key.id, found.routing, attribution_id)
        if event.organization is None and len(raw) <= MAX_REMEMBERED_BYTES and self.memory.tells_apart(meant.values):
            parts = self.known.row_parts.get(key.public_id)
            if parts is not None and parts.memory is self.memory and parts.since <= found.moment:
                self._bound_callers(parts.remember(event, part, undeclared))
        return part

    def _bound_callers(self, num_new: int) -> None:
        self.memory.num_callers += num_new
        if self.memory.num_callers > MAX_CALLERS:
            self.memory.num_callers = 0
            self.known.row_parts.clear()

    def _part_instead(self, sku_key: SkuKey, organization_id: int) -> bytes | Refusal | None:
        """The part of the row for a SKU that is not to be had; None if that is not known."""
        found = self._instead(sku_key, organization_id)
        return skus.part_of(found) if isinstance(found, SkuKey) else found

    def _instead(self, sku_key: SkuKey, organization_id: int) -> SkuKey | Refusal | None:
        """What is said of a SKU that is not to be had, for this request or for one a short time ago."""
        found = self.instead.get((organization_id, sku_key))
        return skus.over_share.get(organization_id, sku_key) if found is None else found

    def _correct(self, place: int, event: Correction, sku_key: SkuKey, found: Destination) -> Outcome:
        if sku_key.has_numbers:
            return self._postpone(place, event, sku_key, found)
        organization_id = found.organization_ids[0]
        other = self._instead(sku_key, organization_id)
        if other is None:
            return self._miss(sku_key, organization_id)
        return other if isinstance(other, Refusal) else self._postpone(place, event, other, found)

    def _miss(self, sku_key: SkuKey, organization_id: int) -> Outcome:
        self.missing_skus.setdefault(sku_key, set()).add(organization_id)
        return ACCEPTED

    def _postpone(self, place: int, event: Correction, sku_key: SkuKey, found: Destination) -> Outcome:
        if self.caller.key is not None:
            return Refusal("correction_forbidden", "Corrections are sent with an ingest token, not with an API key.")
        correction = PostponedCorrection(
            outcomes=self.outcomes,
            place=place,
            organization_ids=found.organization_ids,
            moment=found.moment,
            event_id=_event_id(event.id),
            corrects=_event_id(event.corrects),
            api_key_id=found.key.id,
            sku=sku_key.said,
            measures=_measures(event),
        )
        self.corrections.append(correction)
        return ACCEPTED

    def _learn(self, events: Sequence[Any]) -> None:
        key_ids = {event.api_key_id for event in events} - NO_NAMES
        self.known.learn(key_ids, {event.organization for event in events} - NO_NAMES)
        for public_id in key_ids:
            self._remember_parts(self.known.keys.get(public_id))
        self._remember_parts(self.caller.key)

    def _remember_parts(self, key: KeyHistory | None) -> None:
        if key is None or key.constant is None or key.ended_at is not None:
            return
        known = self.known.row_parts.get(key.public_id)
        if known is not None and known.memory is self.memory:
            return
        organization_id, _ = key.constant
        choices = key.attributions.get(organization_id)
        since = microseconds(choices[-1][0]) if choices else ALWAYS
        parts = RowParts(copy_rows.organization_part(organization_id), since, self.memory)
        self.known.remember_parts(key.public_id, organization_id, parts)

    def _parts(self) -> Mapping[str | None, RowParts]:
        """Public id of a key, as an event gives it → the parts of its rows, for keys whose events all go the same way."""
        own = self.caller.key
        if own is None:
            return self.known.row_parts
        parts = self.known.row_parts.get(own.public_id)
        return {} if parts is None else {None: parts, own.public_id: parts}

    def _key(self, public_id: str | None) -> KeyHistory | Refusal:
        own = self.caller.key
        if own is not None:
            if not public_id or public_id == own.public_id:
                return own
            return Refusal("forbidden_api_key", "An API key may report its own usage only; use an ingest token.")
        if not public_id:
            return Refusal("missing_api_key_id", "With an ingest token, each event must name its `api_key_id`.")
        key = self.known.keys.get(public_id)
        return key or Refusal("unknown_api_key", "No API key has this `api_key_id`.")

    def _out_of_window(self, at: datetime | None) -> Refusal:
        if at is None:
            return Refusal("invalid_timestamp", "`timestamp` is not a valid date and time.")
        if at < self.window.oldest:
            if self.window.reach is not None:
                return self.window.reach.too_old(at)
            days = settings.USAGE_EVENT_MAX_AGE_DAYS
            return Refusal(
                "too_old", f"Events are accepted for {counted(days, 'day')}; this one is from {at.isoformat()}."
            )
        seconds = settings.USAGE_EVENT_MAX_AHEAD_SECONDS
        return Refusal(
            "in_the_future", f"Events may be {counted(seconds, 'second')} ahead; this one is from {at.isoformat()}."
        )


def _event_id(caller_id: str) -> bytes:
    event_id = _empty_hash.copy()  # in half the time of a new one
    event_id.update(caller_id.encode())
    return event_id.digest()
