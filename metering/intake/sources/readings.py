"""What a reading of a provider's answer says → measures of its usage type, and the events beside that of the request."""

from collections.abc import Mapping, Sequence
from typing import Final

from metering.intake.formats.events import Event, Refusal
from metering.intake.sources.identity import part_id
from metering.intake.sources.normaliser import normalise
from metering.intake.sources.providers.reading import Part, Reading, Tool
from metering.measures import ALLOWED_MEASURES

FOREIGN_MEASURE_DROPPED: Final = "foreign_measure_dropped"
COUNTED_IN_UNITS: Final = frozenset({"images", "audio_speeches", "audio_transcriptions"})
ALLOWED: Final = {usage_type.label: measures for usage_type, measures in ALLOWED_MEASURES.items()}


class RefusedError(Exception):
    """An item that becomes no event."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.refusal = Refusal(code, message)


def measures_of(reading: Reading, units: Mapping[str, int]) -> tuple[dict[str, int], tuple[str, ...]]:
    """The measures of the request itself, with these beside its tokens, and the rules that changed something.

    Raises RefusedError when there are none, of usage that is counted in units.
    """
    found = normalise(reading.tokens, reading.counting)
    measures, changes = found.measures, found.changes
    allowed = ALLOWED[reading.usage_type]
    if not measures.keys() <= allowed:
        measures = {name: count for name, count in measures.items() if name in allowed}
        changes += (FOREIGN_MEASURE_DROPPED,)
    if units:
        measures |= units
    if reading.usage_type in COUNTED_IN_UNITS and not any(measures.values()):
        raise RefusedError("no_usage", "Send the tokens, or how many `images`, `seconds` or `characters` it was.")
    return measures, changes


def events_beside(event: Event, reading: Reading) -> tuple[Sequence[Event], tuple[str, ...]]:
    """What was used beside `event`, which is that of the request itself, and the rules that changed something there."""
    if not (reading.tools or reading.parts):
        return (), ()
    events = [_event_of_tool(event, tool) for tool in reading.tools]
    changes: tuple[str, ...] = ()
    for part in reading.parts:
        of_part, changed = _event_of_part(event, part)
        events.append(of_part)
        changes += changed
    return events, changes


def _event_of_tool(event: Event, tool: Tool) -> Event:
    """Calls of a tool in the same request."""
    return Event(
        id=part_id(event.id, tool.suffix),
        timestamp=event.timestamp,
        usage_type=tool.usage_type,
        model=event.model,
        api_key_id=event.api_key_id,
        organization=event.organization,
        project=event.project,
        attributes=event.attributes,
        provider=event.provider,
        **tool.measures,  # type: ignore[arg-type]  # the names of measures
    )


def _event_of_part(event: Event, part: Part) -> tuple[Event, tuple[str, ...]]:
    """Tier and speed are a model's: another one than the request's has its own, which nobody says."""
    reading = part.reading
    measures, changes = measures_of(reading, reading.units)
    model = reading.model or event.model
    is_same = model == event.model
    found = Event(
        id=part_id(event.id, part.suffix),
        timestamp=event.timestamp,
        usage_type=reading.usage_type,
        model=model,
        api_key_id=event.api_key_id,
        organization=event.organization,
        project=event.project,
        attributes=event.attributes,
        provider=event.provider,
        service_tier=event.service_tier if is_same else None,
        batch=event.batch,
        speed=event.speed if is_same else None,
        region=event.region,
        **measures,
    )
    return found, changes
