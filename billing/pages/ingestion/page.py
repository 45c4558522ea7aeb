"""What the Ingestion page shows: counts as a chart and a table, what was refused, and what can be done about it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.urls import reverse

from accounts.models import Organization
from apikeys.models import IngestToken
from metering.display import exact
from metering.ingestion_models import Grain, Kind, RefusedItem, Source, UnknownKey
from metering.intake.received import shown
from metering.intake.received.received import API_KEYS, NOBODY
from metering.intake.received.report import Report, Sums
from metering.pages.parts import Choice

COLUMNS: Final = tuple(Kind)
REFUSED: Final = (Kind.CONFLICTING, Kind.REJECTED, Kind.UNREADABLE)
CHART_HEIGHT: Final = 100
BAR_WIDTH: Final = 10
NO_TOKENS: Final[Mapping[int, str]] = {API_KEYS: "API keys", NOBODY: "Unknown senders"}
WORDS: Final = {Grain.MINUTE: "minute", Grain.HOUR: "hour", Grain.DAY: "day"}
FORMATS: Final = {Grain.MINUTE: "%H:%M", Grain.HOUR: "%b %-d, %H:00", Grain.DAY: "%b %-d"}


@dataclass(frozen=True)
class Part:
    """A rectangle of a bar, in the units of the chart."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """What came in during a period."""

    label: str
    x: int
    parts: tuple[Part, ...]
    numbers: tuple[str, ...]


@dataclass(frozen=True)
class SenderRow:
    """What came in from one sender by one way in; `codes` are sentences like “rejected: unknown_api_key 12”."""

    source: str
    sender: str
    numbers: tuple[str, ...]
    codes: tuple[str, ...]


@dataclass(frozen=True)
class RefusedRow:
    """A refused item with the names of its sender and organization."""

    item: RefusedItem
    source: str
    sender: str
    organization: str


@dataclass(frozen=True)
class UnknownRow:
    """A key that nobody here has. `address` leads to the form that imports it; empty for what looks like an id of ours."""

    key: UnknownKey
    sender: str
    address: str


def choices(current: Grain) -> tuple[Choice, ...]:
    return tuple(Choice(grain.label, f"?grain={grain.value}", grain == current) for grain in Grain)


def bars(report: Report) -> tuple[Bar, ...]:
    """A bar for each period: accepted below, duplicates on it, what was refused on top."""
    highest = max((_total(sums) for sums in report.periods.values()), default=0) or 1
    return tuple(
        Bar(
            label=f"{began_at:{FORMATS[report.grain]}}",
            x=place * BAR_WIDTH,
            parts=tuple(_parts(sums, CHART_HEIGHT / highest)),
            numbers=tuple(exact(sums.kinds[kind]) for kind in COLUMNS),
        )
        for place, (began_at, sums) in enumerate(report.periods.items())
    )


def sender_rows(report: Report, tokens: Mapping[int, str]) -> tuple[SenderRow, ...]:
    return tuple(
        SenderRow(
            source=source_label(sender.source),
            sender=tokens.get(sender.token_id, f"Token {sender.token_id}"),
            numbers=tuple(exact(sums.kinds[kind]) for kind in COLUMNS),
            codes=tuple(
                f"{kind}: {code} {exact(number)}"
                for kind in COLUMNS
                for code, number in sums.codes.get(kind, Counter()).most_common()
            ),
        )
        for sender, sums in report.senders.items()
    )


def refused_rows(items: Iterable[RefusedItem], tokens: Mapping[int, str]) -> tuple[RefusedRow, ...]:
    items = list(items)
    organizations = Organization.objects.in_bulk({item.organization_id for item in items})
    return tuple(
        RefusedRow(
            item,
            source_label(item.source),
            tokens.get(item.token_id, ""),
            organizations[item.organization_id].name if item.organization_id in organizations else "",
        )
        for item in items
    )


def unknown_rows(keys: Iterable[UnknownKey], tokens: Mapping[int, str]) -> tuple[UnknownRow, ...]:
    return tuple(UnknownRow(key, tokens.get(key.token_id, ""), _import_address(key.key)) for key in keys)


def token_names() -> dict[int, str]:
    """The name of each sender's token, and of the senders that have none."""
    return {**NO_TOKENS, **dict(IngestToken.objects.values_list("pk", "name"))}


def source_label(source: str) -> str:
    return Source(source).label if source in Source.values else source


def as_json(
    report: Report, tokens: Mapping[int, str], items: Iterable[RefusedItem], keys: Iterable[UnknownKey]
) -> dict[str, Any]:
    """The counts, refused items and unknown keys as programs read them."""
    return {
        "grain": report.grain.value,
        "counts": [
            {
                "began_at": _iso(row.began_at),
                "source": row.source,
                "sender": tokens.get(row.token_id, str(row.token_id)),
                "kind": row.kind,
                "code": row.code or None,
                "number": row.number,
            }
            for row in report.rows
        ],
        "refused": [
            {
                "at": _iso(item.at),
                "source": item.source,
                "sender": tokens.get(item.token_id, str(item.token_id)),
                "code": item.code,
                "message": item.message,
                "key": item.key or None,
                "event_id": item.event_id or None,
            }
            for item in items
        ],
        "unknown_keys": [
            {"key": key.key, "source": key.source, "num_events": key.num_events, "last_seen_at": _iso(key.last_seen_at)}
            for key in keys
        ],
    }


def _total(sums: Sums) -> int:
    return sum(sums.kinds[kind] for kind in (Kind.ACCEPTED, Kind.DUPLICATE, *REFUSED))


def _parts(sums: Sums, scale: float) -> Iterator[Part]:
    """From the bottom up. SVG counts from the top."""
    top = float(CHART_HEIGHT)
    numbers = {
        "accepted": sums.kinds[Kind.ACCEPTED],
        "duplicate": sums.kinds[Kind.DUPLICATE],
        "refused": sum(sums.kinds[kind] for kind in REFUSED),
    }
    for kind, number in numbers.items():
        if number:
            top -= number * scale
            yield Part(kind, round(top, 2), round(number * scale, 2))


def _import_address(key: str) -> str:
    return "" if shown.OWN_ID.fullmatch(key) else f"{reverse('billing:ingestion')}?key={key}#import"


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
