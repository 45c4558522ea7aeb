"""What every way in calls where the outcomes of a request are known: `note`, or `note_unreadable`.

In the usual case (everything was accepted) that is one addition for the whole request.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from apikeys import directory
from apikeys.directory import Caller
from metering.ingestion_models import Kind, Source
from metering.intake.copy_rows import ACCEPTED, CONFLICT, DUPLICATE, Outcome
from metering.intake.formats.events import Refusal
from metering.intake.received import shown
from metering.intake.received.tally import Received, tally
from metering.intake.received.writing import CountKey, Refused

NOBODY: Final = -1
"""Stands for the token of a caller who is not known."""
API_KEYS: Final = 0
"""Stands for the token of every API key that reports its own usage."""
MAX_LOOKED_AT: Final = 200
"""Refused items of a request that are looked at for the list of the last ones; all are counted."""
UNKNOWN_KEY: Final = "unknown_api_key"


def note(  # noqa: PLR0913 - one keyword for each thing that a request may bring
    source: Source,
    caller: Caller | None,
    outcomes: Sequence[Outcome],
    *,
    events: Sequence[Any] = (),
    ignored: Mapping[str, int] | None = None,
    normalised: Mapping[str, int] | None = None,
) -> None:
    """A request's items have these outcomes. Call it after the commit.

    `events` are in the places of their outcomes; their `id` and `api_key_id` tell of what was refused. `ignored` and
    `normalised` say how many items were left out, or changed, by which rule.
    """
    token = token_of(caller)
    num_accepted = outcomes.count(ACCEPTED)
    if num_accepted:
        tally.count((source.value, token, "accepted", ""), num_accepted)
    if num_accepted < len(outcomes):
        _note_others(source, caller, outcomes, events)
    if ignored or normalised:
        counts = [((source.value, token, Kind.IGNORED.value, code), number) for code, number in (ignored or {}).items()]
        counts += [
            ((source.value, token, Kind.NORMALISED.value, rule), number) for rule, number in (normalised or {}).items()
        ]
        tally.note(lambda received: received.add(counts))


def note_unreadable(source: Source, caller: Caller | None, code: str, message: str = "") -> None:
    """A request was refused as a whole, so that no item of it was looked at. Without a message it is counted alone."""
    token = token_of(caller)
    tally.count((source.value, token, Kind.UNREADABLE.value, code), 1)
    if message and caller is not None:
        item = _refused(source, caller, Refusal(code, message), None)
        tally.note(lambda received: received.add_refused([item]))


def token_of(caller: Caller | None) -> int:
    """The id of the caller's ingest token, API_KEYS or NOBODY."""
    if caller is None:
        return NOBODY
    return API_KEYS if caller.key is not None else caller.token_id


def _note_others(source: Source, caller: Caller | None, outcomes: Sequence[Outcome], events: Sequence[Any]) -> None:
    """Count what was not accepted, in one go, and keep the last of what was refused."""
    token = token_of(caller)
    counts: Counter[CountKey] = Counter()
    unknown: Counter[tuple[str, str, int]] = Counter()
    refused: list[Refused] = []
    for place in range(len(outcomes) - 1, -1, -1):
        outcome = outcomes[place]
        if not isinstance(outcome, Refusal):
            continue
        counts[source.value, token, _kind(outcome), outcome.code] += 1
        event = events[place] if place < len(events) else None
        if len(refused) < MAX_LOOKED_AT:
            refused.append(_refused(source, caller, outcome, event))
        if outcome.code == UNKNOWN_KEY:
            unknown[shown.key_name(_named_key(outcome, event)), source.value, token] += 1
    if num_duplicates := outcomes.count(DUPLICATE):
        counts[source.value, token, Kind.DUPLICATE.value, ""] = num_duplicates
    unknown = Counter({key: number for key, number in unknown.items() if key[0]})

    def add(received: Received) -> None:
        received.add(counts.items())
        received.add_refused(reversed(refused))
        received.add_unknown(unknown.items())

    tally.note(add)


def _kind(refusal: Refusal) -> str:
    return (Kind.CONFLICTING if refusal.code == CONFLICT.code else Kind.REJECTED).value


def _refused(source: Source, caller: Caller | None, refusal: Refusal, event: Any) -> Refused:
    named = _named_key(refusal, event)
    return Refused(
        source=source.value,
        token_id=token_of(caller),
        organization_id=_organization(caller, named),
        code=refusal.code[:60],
        message=shown.sentence(refusal.message),
        key=shown.key_name(named) or (caller.key.public_id if caller is not None and caller.key is not None else ""),
        event_id=shown.id_of(refusal.event_id or getattr(event, "id", "")),
    )


def _named_key(refusal: Refusal, event: Any) -> str:
    return refusal.key or getattr(event, "api_key_id", None) or ""


def _organization(caller: Caller | None, named: str) -> int:
    """Where the key's usage counts by default, if it is known without asking the database; else 0."""
    key = caller.key if caller is not None and caller.key is not None else directory.remembered().keys.get(named)
    return key.defaults[-1][1] if key is not None and key.defaults else 0
