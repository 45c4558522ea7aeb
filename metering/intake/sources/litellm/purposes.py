"""What a call was for, as LiteLLM knows it → attributes of an event, for those names that an organization declares.

What the proxy knows of the key goes before what the caller may write. What cannot be a value is left out: no usage is lost for
a word.
"""

from functools import lru_cache
from typing import Any, Final

import msgspec

from accounts.pages.forms import is_printable
from accounts.projects.attributes import NAME_FORM
from metering.attribution_models import MAX_VALUE_LENGTH
from metering.intake.formats.events import NO_ATTRIBUTES
from metering.intake.sources.litellm.payload import Metadata, Payload

MAX_BYTES: Final = 16 * 1024
"""Metadata and tags that are longer are not read."""
MAX_REMEMBERED_BYTES: Final = 1_024
NO_METADATA: Final = Metadata()
_map: Final = msgspec.json.Decoder(dict[str, Any])
_tags: Final = msgspec.json.Decoder(list[str])
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def attributes_of(payload: Payload) -> msgspec.Raw:
    """The attributes as JSON; NO_ATTRIBUTES if there are none."""
    metadata = payload.metadata or NO_METADATA
    team = metadata.user_api_key_team_alias or metadata.user_api_key_team_id or ""
    user = metadata.user_api_key_user_id or ""
    customer = payload.end_user or metadata.user_api_key_end_user_id or ""
    requester, spend_logs = bytes(metadata.requester_metadata), bytes(metadata.spend_logs_metadata)
    tags = bytes(payload.request_tags)
    num_bytes = len(team) + len(user) + len(customer) + len(requester) + len(spend_logs) + len(tags)
    make = _remembered if num_bytes <= MAX_REMEMBERED_BYTES else _attributes
    return make(team, user, customer, requester, spend_logs, tags)


def _attributes(  # noqa: PLR0913, PLR0917 - flat, because it is remembered by these
    team: str, user: str, customer: str, requester: bytes, spend_logs: bytes, tags: bytes
) -> msgspec.Raw:
    known = {"team": team, "user": user, "end_customer": customer}
    said = {
        **_of_map(requester),
        **_of_map(spend_logs),
        **_of_tags(tags),
        **{name: value for name, value in known.items() if value},
    }
    found = {name: text for name, value in said.items() if (text := _value(name, value))}
    return msgspec.Raw(msgspec.json.encode(found)) if found else NO_ATTRIBUTES


_remembered: Final = lru_cache(maxsize=10_000)(_attributes)


def _of_map(raw: bytes) -> dict[str, Any]:
    if not 2 < len(raw) <= MAX_BYTES:
        return {}
    try:
        return _map.decode(raw)
    except _UNREADABLE:
        return {}


def _of_tags(raw: bytes) -> dict[str, str]:
    """Of `feature:search` the name and its value; the first tag without a name is `tag`."""
    if not 2 < len(raw) <= MAX_BYTES:
        return {}
    try:
        tags = _tags.decode(raw)
    except _UNREADABLE:
        return {}
    found: dict[str, str] = {}
    for tag in tags:
        name, colon, value = tag.partition(":")
        found.setdefault(name, value) if colon else found.setdefault("tag", tag)
    return found


def _value(name: str, value: Any) -> str:
    """The value as an event may have it; empty for what cannot be one."""
    if isinstance(value, bool) or not isinstance(value, str | int) or not NAME_FORM.fullmatch(name):
        return ""
    text = str(value).strip()
    return text if len(text) <= MAX_VALUE_LENGTH and is_printable(text) else ""
