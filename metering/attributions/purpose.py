"""What an event is for, before the dictionaries are asked: a project and at most one text for each declared attribute.

What the event says goes before what its key carries. A name that is not declared costs the event nothing, whatever it holds;
it is only reported.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from accounts.pages.forms import is_printable
from apikeys.declarations import Declarations
from metering.attribution_models import MAX_VALUE_LENGTH

Values = tuple[tuple[int, str], ...]
"""(attribute's id, value), in the order of the ids."""
NO_VALUE: Final = (b"null", b'""')
MOST_REPORTED: Final = 20
"""Names that are not declared, of one event. The others of a longer map are dropped without a word."""
_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text: Final = msgspec.json.Decoder(str)
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class UnknownProjectError(Exception):
    """The organization has no such project."""


class InvalidAttributeError(Exception):
    """A declared attribute cannot have this value, or there is no reading the attributes at all; the message says why."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """`project` 0 is the default one. `undeclared` are the names that were dropped."""

    project: int
    values: Values
    undeclared: tuple[str, ...] = ()


def purpose(
    declared: Declarations, of_key: tuple[int, Mapping[str, str]], project: str | None, attributes: bytes
) -> Purpose:
    """What an event is for that names this project, if any, and has these attributes, as JSON, if any.

    Raises UnknownProjectError or InvalidAttributeError.
    """
    project_id, texts = of_key
    if project:
        if project not in declared.projects:
            raise UnknownProjectError
        project_id = declared.projects[project]
    if not attributes or attributes == b"null":
        return Purpose(project_id, _values(declared, texts))
    said = _read(attributes)
    texts = {**texts, **_said(declared, said)}
    return Purpose(project_id, _values(declared, texts), _undeclared(declared, said))


def _values(declared: Declarations, texts: Mapping[str, str]) -> Values:
    if not texts:
        return ()
    return tuple((attribute_id, texts[name]) for name, attribute_id in declared.attributes.items() if texts.get(name))


def _read(attributes: bytes) -> Mapping[str, msgspec.Raw]:
    try:
        return _map.decode(attributes)
    except _UNREADABLE as error:
        raise InvalidAttributeError("`attributes` must be a map of names to texts.") from error


def _said(declared: Declarations, said: Mapping[str, msgspec.Raw]) -> dict[str, str]:
    found = ((name, bytes(said[name])) for name in declared.attributes if name in said)
    texts = ((name, _value(name, value)) for name, value in found if value not in NO_VALUE)
    return {name: text for name, text in texts if text}


def _value(name: str, value: bytes) -> str:
    """Without white space around it, as people's own input."""
    try:
        text = _text.decode(value).strip()
    except _UNREADABLE as error:
        raise InvalidAttributeError(f"The attribute `{name}` must be a text.") from error
    if len(text) > MAX_VALUE_LENGTH:
        raise InvalidAttributeError(
            f"The attribute `{name}` has {len(text):,} characters; a value can have at most {MAX_VALUE_LENGTH}."
        )
    if not is_printable(text):
        raise InvalidAttributeError(f"The attribute `{name}` has control characters or line breaks.")
    return text


def _undeclared(declared: Declarations, said: Mapping[str, msgspec.Raw]) -> tuple[str, ...]:
    found: list[str] = []
    for name in said:
        if name not in declared.attributes:
            found.append(name)
            if len(found) == MOST_REPORTED:
                break
    return tuple(found)
