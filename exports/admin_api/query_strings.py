"""What a query string says, read strictly: every refusal is a sentence that names the parameter, and a stable code.

Arrays are read as `a=1&a=2`, `a[]=1&a[]=2`, `a[0]=1` and `a=1,2`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from django.http import QueryDict

from apikeys.adminkeys.api import InvalidRequestError

ARRAY_MARK: Final = re.compile(r"\[\d{0,4}\]$")
WHOLE_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")
MAX_VALUES: Final = 1_000
MAX_LENGTH: Final = 300
Given = Mapping[str, Sequence[str]]
"""The parameters by name, without the marks of arrays, with all their values."""


def gathered(query: QueryDict) -> Given:
    """Raises InvalidRequestError."""
    given: dict[str, list[str]] = {}
    for name, values in query.lists():
        given.setdefault(ARRAY_MARK.sub("", name), []).extend(map(str, values))
    for name, values in given.items():
        if any("\0" in value or len(value) > MAX_LENGTH * MAX_VALUES for value in values):
            raise InvalidRequestError(f"Invalid value for '{name[:40]}'.", param=name[:40], code="invalid_value")
    return given


def unknown(name: str) -> InvalidRequestError:
    return InvalidRequestError(f"Unknown parameter: '{name[:40]}'.", param=name[:40], code="unknown_parameter")


def not_told_apart(name: str) -> InvalidRequestError:
    """The refusal of a filter by what is not known here."""
    return InvalidRequestError(
        f"Unsupported parameter: '{name}'. What usage is told apart by it is not known here.",
        param=name,
        code="unsupported_parameter",
    )


def require(given: Given, name: str) -> None:
    """Raises InvalidRequestError."""
    if name not in given:
        raise InvalidRequestError(
            f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter"
        )


def single(given: Given, name: str) -> str | None:
    return given[name][-1] if name in given else None


def values_of(given: Given, name: str, *, is_divided: bool = True) -> tuple[str, ...]:
    """The values of an array. Those of one that is not divided may have commas in them. Raises InvalidRequestError."""
    found = given.get(name, ())
    values = [part for value in found for part in value.split(",")] if is_divided else found
    values = [value.strip() for value in values if value.strip()]
    if len(values) > MAX_VALUES or any(len(value) > MAX_LENGTH for value in values):
        raise InvalidRequestError(
            f"Invalid '{name}': at most {MAX_VALUES} values of {MAX_LENGTH} characters.",
            param=name,
            code="array_above_max_length",
        )
    return tuple(values)


def one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    """Raises InvalidRequestError."""
    if value not in allowed:
        *others, last = (f"'{one}'" for one in allowed)
        shown = f"{', '.join(others)}, and {last}" if others else last
        raise InvalidRequestError(
            f"Invalid value: '{value[:40]}'. Supported values are: {shown}.", param=name, code="invalid_value"
        )
    return value


def truth_of(given: Given, name: str) -> bool | None:
    """Raises InvalidRequestError."""
    text = single(given, name)
    return None if text is None else one_of(name, text.lower(), ("true", "false")) == "true"


def whole_number(given: Given, name: str) -> int | None:
    """Raises InvalidRequestError."""
    text = single(given, name)
    if text is None:
        return None
    if not WHOLE_NUMBER.fullmatch(text):
        raise InvalidRequestError(
            f"Invalid type for '{name}': expected an integer, but got '{text[:40]}' instead.",
            param=name,
            code="invalid_type",
        )
    return int(text)


def limit_of(given: Given, default: int, most: int) -> int:
    """Raises InvalidRequestError."""
    limit = whole_number(given, "limit")
    if limit is None:
        return default
    require_between("limit", limit, 1, most)
    return limit


def require_between(name: str, number: int, least: int, most: int, hint: str = "") -> None:
    """Raises InvalidRequestError."""
    side, sign, bound = ("below minimum", ">=", least) if number < least else ("above maximum", "<=", most)
    if not least <= number <= most:
        raise InvalidRequestError(
            f"Invalid '{name}': integer {side} value. Expected a value {sign} {bound}, but got {number} instead.{hint}",
            param=name,
            code=f"integer_{side.replace(' ', '_')}_value".replace("minimum", "min").replace("maximum", "max"),
        )
