"""Fields of what programs send as JSON. What has another type is refused, never read as if it had been written differently.

The framework's own take 0 for “0”, “yes” for true and 1 for “1”.
"""

import re
from decimal import Decimal
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

IN_A_FILE: Final = "in a file"
LONGEST_REPEATED: Final = 40
"""Characters of a wrong value that an error repeats."""

DIGITS: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
"""What a text is that is read as a number."""
READABLE_DIGITS: Final = re.compile(r"[+-]?(0|[1-9](_?[0-9])*)(\.[0-9]+)?")


class UnquotedDigits(str):
    """What stands in a file without quotes and looks like a number, but not like the one that it is to everybody: 1_000 and +14,
    which readers of YAML agree on, and 0017, 0x1F and 12:30, which they do not."""

    __slots__ = ()

    def number(self) -> str | None:
        """Its digits alone, if they can mean one number only."""
        return self.replace("_", "").removeprefix("+") if READABLE_DIGITS.fullmatch(self) else None


def whole_of(data: Any) -> Any:
    """Of `UnquotedDigits` that are a whole number, that. All else as it is."""
    if isinstance(data, UnquotedDigits) and (number := data.number()) and "." not in number:
        return int(number)
    return data


class TypedText(serializers.CharField):
    """A text. With `IN_A_FILE` in the serializer's context also a whole number, which people write without quotes there."""

    default_error_messages = {"not_text": "This is a text, between quotes."}

    def to_internal_value(self, data: Any) -> str:
        if not (isinstance(data, str) or (type(data) is int and self.context.get(IN_A_FILE))):
            self.fail("not_text")
        return str(super().to_internal_value(str(data)))


class TypedPattern(TypedText, serializers.RegexField):
    """A text of this pattern."""


class TypedEmail(TypedText, serializers.EmailField):
    """An email address."""


class TypedSwitch(serializers.BooleanField):
    """True or false."""

    default_error_messages = {"invalid": "This is true or false, without quotes."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class TypedNumber(serializers.IntegerField):
    """A whole number."""

    default_error_messages = {"invalid": "This is a whole number, without quotes."}

    def to_internal_value(self, data: Any) -> int:
        data = whole_of(data)
        if type(data) is not int:
            self.fail("invalid")
        return int(super().to_internal_value(data))


class TypedChoice(serializers.ChoiceField):
    """One of the choices, in its own type."""

    default_error_messages = {"invalid_choice": "“{input}” is none of {choices}."}

    def to_internal_value(self, data: Any) -> Any:
        data = whole_of(data)
        if not any(type(data) is type(choice) and data == choice for choice in self.choices):
            choices = ", ".join(str(choice) for choice in self.choices)
            self.fail("invalid_choice", input=str(data)[:LONGEST_REPEATED], choices=choices)
        return data


@extend_schema_field({"type": ["string", "number"], "format": "decimal"})
class TypedDecimal(serializers.DecimalField):
    """A number, or its digits as a text, which keeps all of them. An empty text is no number, and not null."""

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        return serializers.Field.validate_empty_values(self, data)

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, UnquotedDigits):
            data = data.number() or self.fail("invalid")
        if isinstance(data, str) and not DIGITS.fullmatch(data):
            self.fail("invalid")
        return super().to_internal_value(data)
