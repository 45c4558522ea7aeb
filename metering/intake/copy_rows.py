"""Events as rows of PostgreSQL's binary COPY format.

Binary rows cost PostgreSQL less to read than text, and they sort by identity, because a row begins with it. Format:
https://www.postgresql.org/docs/18/sql-copy.html#SQL-COPY-BINARY-FORMAT: per row the number of fields, per field its
length and big-endian value, length -1 for null. A measure of 0 is stored as null: none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from struct import Struct
from typing import Final, Literal

from metering.attributions.memory import Memory
from metering.intake.formats.events import NO_ATTRIBUTES, Event, PlainEvent, Refusal
from metering.measures import MEASURES

COLUMNS: Final = ", ".join(
    (
        *("organization_id", "occurred_at", "event_id", "user_id", "api_key_id"),
        *("routing", "attribution_id", "sku_id", "batch_id", "corrects"),
        *MEASURES,
    )
)
NUM_COLUMNS: Final = 10 + len(MEASURES)

ACCEPTED: Final = "accepted"
DUPLICATE: Final = "duplicate"
IGNORED: Final = "ignored"
"""Of an item that is no usage."""
CONFLICT: Final = Refusal(
    "conflict", "Another event with this id and timestamp is stored; the first stays. A correction is a new event."
)
Outcome = Literal["accepted", "duplicate", "ignored"] | Refusal
"""ACCEPTED, DUPLICATE, IGNORED, or why the event was refused."""

Undeclared = tuple[int, tuple[str, ...]]
"""An organization, and names of attributes that it has not declared."""

MICROSECONDS: Final = 1_000_000
DAY_MICROSECONDS: Final = 86_400 * MICROSECONDS
EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""PostgreSQL counts from here."""

_FILE_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_FILE_TRAILER: Final = b"\xff\xff"
_NULL: Final = b"\xff\xff\xff\xff"
_organization = Struct(">hiqi")
_caller = Struct(">iqiqihii")
_sku = Struct(">ii")
_batch = Struct(">iq4si")
_identity = Struct(">18sqi16s")
_measure = Struct(">iq")

# Most events by far: requests, input and output tokens, with or without cached and reasoning ones. One pack makes the whole row.
_NULL_THEN_OUTPUT: Final = _NULL * 6 + b"\0\0\0\x08"
_CACHED_THEN_OUTPUT: Final = _NULL * 5 + b"\0\0\0\x08"
_REST: Final = _NULL * 8
_THEN_REASONING: Final = _NULL * 2 + b"\0\0\0\x08"
_REST_OF_REASONING: Final = _NULL * 5
_plain = Struct(">18sqi16s38s8s20sqiq28sq32s")
_plain_cached = Struct(">18sqi16s38s8s20sqiqiq24sq32s")
_reasoning = Struct(">18sqi16s38s8s20sqiq28sq12sq20s")
_reasoning_cached = Struct(">18sqi16s38s8s20sqiqiq24sq12sq20s")


@dataclass(slots=True)
class RowParts:
    """What the rows of a key's plain events consist of, from the moment `since` on (in microseconds), as long as `memory` is
    the one of this month.

    `plain` is the second part of the row of an event that does not say what it is for, `callers` that of others by their
    attributes, `of_projects` that of those that name a project, too: (project, attributes) → part. `undeclared` are the names
    that were dropped from either; what stands there is in `of_projects`, and not in `callers`.
    """

    organization: bytes
    since: int
    memory: Memory
    plain: bytes | None = None
    callers: dict[bytes, bytes] = field(default_factory=dict)
    of_projects: dict[tuple[str | None, bytes], bytes] = field(default_factory=dict)
    undeclared: dict[tuple[str | None, bytes], Undeclared] = field(default_factory=dict)

    def said(self, event: PlainEvent | Event, undeclared: list[Undeclared]) -> bytes | None:
        """The second part of the row of an event that says what it is for, if that was said before; notes what it drops."""
        attributes = bytes(event.attributes)
        if not event.project and (found := self.callers.get(attributes)) is not None:
            return found
        said = event.project, attributes
        found = self.of_projects.get(said)
        if found is not None and said in self.undeclared:
            undeclared.append(self.undeclared[said])
        return found

    def remember(self, event: PlainEvent | Event, caller: bytes, undeclared: Undeclared | None) -> int:
        """For events that say what this one says; returns how many entries are new."""
        if not event.project and event.attributes is NO_ATTRIBUTES:
            self.plain = caller
            return 0
        said, before = (event.project, bytes(event.attributes)), len(self.callers) + len(self.of_projects)
        if undeclared is not None:
            self.undeclared[said] = undeclared
        if event.project or undeclared is not None:
            self.of_projects[said] = caller
        else:
            self.callers[said[1]] = caller
        return len(self.callers) + len(self.of_projects) - before


def organization_part(organization_id: int) -> bytes:
    """What stands before the time."""
    return _organization.pack(NUM_COLUMNS, 8, organization_id, 8)


def caller_part(user_id: int, api_key_id: int, routing: int, attribution_id: int) -> bytes:
    """What stands behind the event's id."""
    return _caller.pack(8, user_id, 8, api_key_id, 2, routing, 4, attribution_id)


def sku_part(sku_id: int) -> bytes:
    return _sku.pack(4, sku_id)


def batch_part(batch_id: int) -> bytes:
    """The batch, no `corrects`, and the length of the first measure."""
    return _batch.pack(8, batch_id, _NULL, 8)


def microseconds(at: datetime) -> int:
    """PostgreSQL's number for a moment in UTC."""
    since = at - EPOCH
    return (since.days * 86_400 + since.seconds) * MICROSECONDS + since.microseconds


def plain_row(  # noqa: PLR0913, PLR0917 - positional and flat, because it runs for every event
    organization: bytes,
    moment: int,
    event_id: bytes,
    caller: bytes,
    sku: bytes,
    batch: bytes,
    requests: int,
    input_tokens: int,
    cached: int,
    output_tokens: int,
    reasoning: int,
) -> bytes:
    """The row of an event with these measures alone, none of them 0 but `cached` and `reasoning`. The parts are made by the
    functions above."""
    if reasoning:
        if cached:
            return _reasoning_cached.pack(
                organization, moment, 16, event_id, caller, sku, batch, requests, 8, input_tokens, 8, cached,
                _CACHED_THEN_OUTPUT, output_tokens, _THEN_REASONING, reasoning, _REST_OF_REASONING,
            )  # fmt: skip
        return _reasoning.pack(
            organization, moment, 16, event_id, caller, sku, batch, requests, 8, input_tokens,
            _NULL_THEN_OUTPUT, output_tokens, _THEN_REASONING, reasoning, _REST_OF_REASONING,
        )  # fmt: skip
    if cached:
        return _plain_cached.pack(
            organization, moment, 16, event_id, caller, sku, batch, requests, 8, input_tokens, 8, cached,
            _CACHED_THEN_OUTPUT, output_tokens, _REST,
        )  # fmt: skip
    return _plain.pack(
        organization, moment, 16, event_id, caller, sku, batch, requests, 8, input_tokens,
        _NULL_THEN_OUTPUT, output_tokens, _REST,
    )  # fmt: skip


def any_row(  # noqa: PLR0913, PLR0917 - the parts of a row
    organization: bytes,
    moment: int,
    event_id: bytes,
    caller: bytes,
    sku: bytes,
    batch_id: int,
    corrects: bytes | None,
    measures: Sequence[int],
) -> bytes:
    """The row of any event; `measures` are in the order of MEASURES. The same event gives the same bytes as `plain_row`."""
    fields = [_identity.pack(organization, moment, 16, event_id), caller, sku, _measure.pack(8, batch_id)]
    fields.append(_NULL if corrects is None else b"\0\0\0\x10" + corrects)
    fields.extend(_measure.pack(8, value) if value else _NULL for value in measures)
    return b"".join(fields)


def file(rows: Iterable[bytes]) -> bytes:
    """What COPY … FROM STDIN (FORMAT binary) reads."""
    return b"".join((_FILE_HEADER, *rows, _FILE_TRAILER))
