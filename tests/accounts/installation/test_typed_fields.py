"""Fields of what programs send: what has another type is refused, with a sentence that says which one it has."""

from decimal import Decimal
from typing import Any, Final

import pytest
from rest_framework.exceptions import ValidationError
from rest_framework.fields import Field

from accounts.installation.typed_fields import (
    TypedChoice,
    TypedDecimal,
    TypedEmail,
    TypedNumber,
    TypedPattern,
    TypedSwitch,
    TypedText,
    UnquotedDigits,
)

TEXT: Final = "This is a text, between quotes."
SWITCH: Final = "This is true or false, without quotes."
WHOLE: Final = "This is a whole number, without quotes."
DECIMAL: Final = "A valid number is required."
DIGITS: Final[dict[str, Any]] = {"max_digits": 6, "decimal_places": 5, "allow_null": True}


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        (TypedText(), "0", "0"),
        (TypedPattern(r"\A[0-9]+\Z"), "12", "12"),
        (TypedEmail(), "nora@initech.example", "nora@initech.example"),
        (TypedSwitch(), False, False),
        (TypedSwitch(allow_null=True), None, None),
        (TypedNumber(), 14, 14),
        (TypedChoice([1, 1000]), 1000, 1000),
        (TypedDecimal(**DIGITS), "0.19", Decimal("0.19")),
        (TypedDecimal(**DIGITS), 0.19, Decimal("0.19")),
        (TypedDecimal(**DIGITS), "-19e-2", Decimal("-0.19")),
        (TypedDecimal(**DIGITS), None, None),
        (TypedText(), UnquotedDigits("0017"), "0017"),
        (TypedNumber(), UnquotedDigits("+1_4"), 14),
        (TypedChoice([1, 1000]), UnquotedDigits("1_000"), 1000),
        (TypedDecimal(**DIGITS), UnquotedDigits("+0.19"), Decimal("0.19")),
    ],
)
def test_what_has_the_right_type_is_taken(field: "Field[Any, Any, Any, Any]", value: object, read: object) -> None:
    assert field.run_validation(value) == read


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        (TypedText(), 0, TEXT),
        (TypedText(), True, TEXT),
        (TypedText(), ["a"], TEXT),
        (TypedPattern(r"\A[0-9]+\Z"), 12, TEXT),
        (TypedEmail(), 12, TEXT),
        (TypedEmail(), "nora", "Enter a valid email address."),
        (TypedSwitch(), "yes", SWITCH),
        (TypedSwitch(), 1, SWITCH),
        (TypedNumber(), "14", WHOLE),
        (TypedNumber(), True, WHOLE),
        (TypedNumber(), 1.5, WHOLE),
        (TypedChoice([1, 1000]), "1", "“1” is none of 1, 1000."),
        (TypedChoice([1, 1000]), True, "“True” is none of 1, 1000."),
        (TypedChoice(["owner", "admin"]), ["owner"], "“['owner']” is none of owner, admin."),
        (TypedChoice(["owner"]), "x" * 99, f"“{'x' * 40}” is none of owner."),
        (TypedDecimal(**DIGITS), "", DECIMAL),
        (TypedDecimal(**DIGITS), True, DECIMAL),
        (TypedDecimal(**DIGITS), "NaN", DECIMAL),
        (TypedDecimal(**DIGITS), "1_0", DECIMAL),
        (TypedDecimal(**DIGITS), "\N{FULLWIDTH DIGIT ONE}2", DECIMAL),
        (TypedDecimal(**DIGITS), "1\N{ARABIC-INDIC DIGIT TWO}", DECIMAL),
        (TypedDecimal(**DIGITS), " 12 ", DECIMAL),
        (TypedDecimal(**DIGITS), "12\n", DECIMAL),
        (TypedDecimal(**DIGITS), "+12", DECIMAL),
        (TypedDecimal(**DIGITS), UnquotedDigits("014"), DECIMAL),
        (TypedNumber(), "1_4", WHOLE),
        (TypedNumber(), UnquotedDigits("014"), WHOLE),
        (TypedNumber(), UnquotedDigits("1_4.5"), WHOLE),
        (TypedChoice([1, 1000]), UnquotedDigits("0x1"), "“0x1” is none of 1, 1000."),
    ],
)
def test_another_type_is_never_read_as_the_right_one(
    field: "Field[Any, Any, Any, Any]", value: object, sentence: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        field.run_validation(value)
    assert refused.value.detail == [sentence]
