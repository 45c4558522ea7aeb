"""What is read of a span, however it was encoded."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from metering.intake.formats.events import NO_ATTRIBUTES, Refusal
from metering.intake.sources.otlp.names import LAST, OURS, OWN, OWN_ATTRIBUTES, Said

MAX_ATTRIBUTES: Final = 2_000
"""That a span or resource can have: OpenTelemetry's own limit is 128, unless its sender sets another."""


Own = tuple[tuple[str, str], ...]
"""Attributes of ours (`usage_dashboard.…`): (name, text)."""


class Owner(msgspec.Struct, frozen=True, gc=False):
    """Whose usage it is, and what for."""

    api_key_id: str | None = None
    organization: str | None = None
    project: str | None = None
    attributes: Mapping[str, str] = {}
    raw_attributes: msgspec.Raw = NO_ATTRIBUTES

    def said(self, own: Own) -> "Owner":
        """The same, where these attributes of a span or resource do not say otherwise."""
        texts = dict(own)
        declared = {name: text for name, text in own if name.startswith(OWN_ATTRIBUTES)}
        attributes = {**self.attributes, **{name.removeprefix(OWN_ATTRIBUTES): declared[name] for name in declared}}
        return Owner(
            texts.get(f"{OWN}api_key_id", self.api_key_id),
            texts.get(f"{OWN}organization", self.organization),
            texts.get(f"{OWN}project", self.project),
            attributes,
            msgspec.Raw(msgspec.json.encode(attributes)) if attributes else NO_ATTRIBUTES,
        )


class Owners:
    """Those of one resource's spans. Most spans say the same as the one before them."""

    def __init__(self, owner: Owner) -> None:
        self._known: dict[Own, Owner] = {(): owner}
        self._of_resource = owner

    def of(self, own: Own) -> Owner:
        """Who it is where a span itself says this."""
        found = self._known.get(own)
        if found is None:
            found = self._known[own] = self._of_resource.said(own)
        return found


def gathered(attributes: Iterable[Said | None]) -> tuple[dict[str, Any], dict[str, str], Own]:
    """(Counts, texts, attributes of ours). Of several names for the same the first in the order wins."""
    counts: dict[str, Any] = {}
    texts: dict[str, str] = {}
    places: dict[str, int] = {}
    own: list[tuple[str, str]] = []
    for attribute in attributes:
        if attribute is None:
            continue
        is_count, field, place, value = attribute
        if place <= places.get(field, LAST):
            if place == OURS:
                own.append((field, value))
            else:
                places[field] = place
                (counts if is_count else texts)[field] = value
    return counts, texts, tuple(own)


class Span(msgspec.Struct, gc=False):
    """`node` and `parent` are trace id and span id, one behind the other; `parent` is empty at the root of a trace.

    `counts` are the fields of `normaliser.Reported` as they were sent, `texts` those of `names.TEXTS`. A span with a `fault`
    could not be read.
    """

    node: bytes
    parent: bytes
    scope: str
    ended_at: datetime | None
    has_failed: bool
    counts: dict[str, Any]
    texts: dict[str, str]
    owner: Owner
    fault: Refusal | None = None


def unreadable(code: str, message: str, owner: Owner) -> Span:
    """A span that gets this answer."""
    return Span(b"", b"", "", None, False, {}, {}, owner, Refusal(code, message, key=owner.api_key_id or ""))  # noqa: FBT003
