"""Fields of what programs send as JSON. What has another type is refused, never read as if it had been written differently.

The framework's own take 0 for “0”, “yes” for true and 1 for “1”.
"""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

IN_A_FILE: Final = "in a file"
LONGEST_REPEATED: Final = 40
"""Characters of a wrong value that an error repeats."""


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
        if type(data) is not int:
            self.fail("invalid")
        return int(super().to_internal_value(data))


class TypedChoice(serializers.ChoiceField):
    """One of the choices, in its own type."""

    default_error_messages = {"invalid_choice": "“{input}” is none of {choices}."}

    def to_internal_value(self, data: Any) -> Any:
        if not any(type(data) is type(choice) and data == choice for choice in self.choices):
            choices = ", ".join(str(choice) for choice in self.choices)
            self.fail("invalid_choice", input=str(data)[:LONGEST_REPEATED], choices=choices)
        return data


@extend_schema_field({"type": ["string", "number"], "format": "decimal"})
class TypedDecimal(serializers.DecimalField):
    """A number, or its digits as a text, which keeps all of them. An empty text is no number, and not null."""

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        return serializers.Field.validate_empty_values(self, data)
