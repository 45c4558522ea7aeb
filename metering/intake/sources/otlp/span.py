"""What is read of a span, however it was encoded."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from metering.intake.formats.events import NO_ATTRIBUTES, Refusal
from metering.intake.sources.names import Tier, provider_of, tier_of
from metering.intake.sources.otlp.names import ID, LAST, OURS, OWN, OWN_ATTRIBUTES, WORD, Said, usage_type_of
from metering.intake.sources.otlp.remembered import Remembered

MAX_ATTRIBUTES: Final = 2_000
"""That a span or resource can have: OpenTelemetry's own limit is 128, unless its sender sets another."""
MAX_REMEMBERED_WORDS: Final = 1_024
"""Characters of what a span says in words; one that says more is read every time."""

Own = tuple[tuple[str, str], ...]
"""Attributes of ours (`usage_dashboard.…`): (name, text)."""


class Owner(msgspec.Struct, frozen=True, gc=False):
    """Whose usage it is, and what for. `num_bytes` are those of all its words."""

    api_key_id: str | None = None
    organization: str | None = None
    project: str | None = None
    attributes: Mapping[str, str] = {}
    raw_attributes: msgspec.Raw = NO_ATTRIBUTES
    num_bytes: int = 0

    def said(self, own: Own) -> "Owner":
        """The same, where these attributes of a span or resource do not say otherwise."""
        texts = dict(own)
        declared = {name: text for name, text in own if name.startswith(OWN_ATTRIBUTES)}
        attributes = {**self.attributes, **{name.removeprefix(OWN_ATTRIBUTES): declared[name] for name in declared}}
        raw = msgspec.json.encode(attributes) if attributes else b""
        key = texts.get(f"{OWN}api_key_id", self.api_key_id)
        organization = texts.get(f"{OWN}organization", self.organization)
        project = texts.get(f"{OWN}project", self.project)
        num_bytes = len(raw) + len(key or "") + len(organization or "") + len(project or "")
        return Owner(key, organization, project, attributes, msgspec.Raw(raw) if raw else NO_ATTRIBUTES, num_bytes)


NOBODY: Final = Owner()


class Words(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What a span says in words: `own` are attributes of ours, `owner` who they say it is; `num_texts` and `num_bytes` tell of
    all the others.

    `usage_type` is what kind of request it is; None if it is no request to a model, or the sum of several. Each is itself alone
    (`eq=False`), so that a dictionary finds it without looking into it.
    """

    usage_type: str | None
    model: str
    provider: str | None
    tier: Tier
    own: Own
    owner: Owner
    num_texts: int
    num_bytes: int


class Gathered(NamedTuple):
    """What all attributes of a span say. `counts` are fields of `normaliser.Reported`, as they were sent."""

    counts: dict[str, Any]
    response_id: str
    words: Words


def words_of(saids: Iterable[Said | None]) -> Words:
    """Of several names for the same the first in the order wins; of the same name twice the later one."""
    found: dict[str, Said] = {}
    own: list[tuple[str, str]] = []
    for said in filter(None, saids):
        if said.place == OURS:
            own.append((said.field, said.value))
        elif said.field not in found or said.place <= found[said.field].place:
            found[said.field] = said
    texts = {field: said.value for field, said in found.items()}
    return Words(
        usage_type_of(texts),
        texts.get("model", ""),
        provider_of(texts.get("provider")) or None,
        tier_of(texts.get("tier")),
        tuple(own),
        NOBODY.said(tuple(own)) if own else NOBODY,
        len(texts),
        sum(map(len, texts.values())),
    )


_words: Final[Remembered[tuple[Said, ...], Words]] = Remembered(
    words_of, keeps=lambda saids, _: sum(len(said.value) for said in saids) <= MAX_REMEMBERED_WORDS
)


def gathered(attributes: Iterable[Said | None]) -> Gathered:
    """Of several names for the same the first in the order wins; of the same name twice the later one."""
    counts: dict[str, Any] = {}
    places: dict[str, int] = {}
    words: list[Said] = []
    response_id = ""
    for said in filter(None, attributes):
        if said.kind == WORD:
            words.append(said)
        elif said.kind == ID:
            response_id = said.value
        elif said.place <= places.get(said.field, LAST):
            places[said.field] = said.place
            counts[said.field] = said.value
    return Gathered(counts, response_id, _words[tuple(words)])


class Owners:
    """Those of one resource's spans. Most spans say the same as one before them."""

    def __init__(self, owner: Owner) -> None:
        self._known: dict[Words, Owner] = {}
        self._of_resource = owner
        self._is_nobody = owner == NOBODY

    def of(self, words: Words) -> Owner:
        """Who it is where a span itself says this."""
        if self._is_nobody:
            return words.owner
        found = self._known.get(words)
        if found is None:
            found = self._known[words] = self._of_resource.said(words.own) if words.own else self._of_resource
        return found


class Span(msgspec.Struct, gc=False):
    """`node` and `parent` are trace id and span id, one behind the other; `parent` is empty at the root of a trace.

    A span with a `fault` could not be read.
    """

    node: bytes
    parent: bytes
    scope: str
    ended_at: datetime | None
    has_failed: bool
    counts: dict[str, Any]
    response_id: str
    words: Words
    owner: Owner
    fault: Refusal | None = None


def unreadable(code: str, message: str, owner: Owner) -> Span:
    """A span that gets this answer."""
    fault = Refusal(code, message, key=owner.api_key_id or "")
    return Span(b"", b"", "", None, False, {}, "", NO_WORDS, owner, fault)  # noqa: FBT003


NO_WORDS: Final = words_of(())
