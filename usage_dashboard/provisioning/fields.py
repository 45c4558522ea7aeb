"""What a resource says, by kind, as programs send it: checked field by field, with no query.

A field that is not sent stays as it is; null says that there is none.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from django.core.exceptions import ValidationError as Unprintable
from django.core.validators import RegexValidator
from rest_framework import serializers

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
from accounts.models import Membership, Organization
from accounts.pages.forms import is_printable
from accounts.periods import is_known
from apikeys.models import AdminKey
from billing.models import LineItem
from metering.measures import CONTEXT_BANDS, UsageType

EXTERNAL_ID: Final = re.compile(r"[A-Za-z0-9._:@+~-]{1,100}")
ID_RULE: Final = "An id has 1 to 100 letters, digits and any of . _ : @ + ~ -"
MOST_PRICES: Final = 1_000
MOST_ATTRIBUTES: Final = 5
LONGEST_ATTRIBUTE_NAME: Final = 64
HIGHEST_TAX_RATE: Final = Decimal("0.99999")
Values = serializers.Serializer[dict[str, Any]]


def one_line(text: str) -> None:
    """Raises ValidationError for control characters and line breaks."""
    if not is_printable(text):
        raise Unprintable("Control characters and line breaks are not allowed.")


def lines_of_text(text: str) -> None:
    """Raises ValidationError for control characters other than line breaks."""
    if not is_printable(text.replace("\n", " ")):
        raise Unprintable("Control characters other than line breaks are not allowed.")


def known_moment(value: Any) -> None:
    """Raises ValidationError outside of the calendar that usage has."""
    if not is_known(value if not hasattr(value, "date") else value.date()):
        raise Unprintable("This is outside of the years 2000 to 2999.")


class Text(TypedText):
    """A line of text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validators=[one_line], **kwargs)


class ExternalId(TypedText):
    """The operator's own id of something."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validators=[RegexValidator(rf"\A{EXTERNAL_ID.pattern}\Z", ID_RULE)], **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, UnquotedDigits):  # a file of before may mean another one
            self.fail("not_text")
        return super().to_internal_value(data)


class Moment(serializers.DateTimeField):
    """A moment with its zone; without one it is UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validators=[known_moment], **kwargs)


class Strict(Values):
    """Fields that are not known are refused: a slip of the pen is no silence."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict) and (unknown := [name for name in data if name not in self.fields]):
            name = str(unknown[0])[:40]
            raise serializers.ValidationError({name if is_printable(name) else "?": ["This field is not known here."]})
        found: dict[str, Any] = super().to_internal_value(data)
        return found


class BillingDetailsFields(Strict):
    """Whom invoices are made out to, and on which terms; null is the installation's."""

    legal_name = Text(max_length=160, allow_blank=True, required=False)
    address = TypedText(max_length=500, allow_blank=True, required=False, validators=[lines_of_text])
    tax_id = Text(max_length=40, allow_blank=True, required=False)
    tax_name = Text(max_length=20, allow_blank=True, required=False)
    tax_rate = TypedDecimal(
        max_digits=6, decimal_places=5, min_value=0, max_value=HIGHEST_TAX_RATE, allow_null=True, required=False
    )
    due_days = TypedNumber(min_value=0, max_value=365, allow_null=True, required=False)


class PriceFields(Strict):
    """A price of the organization's own, from a UTC day on: dollars for `per` units; null ends pricing on that day."""

    model = Text(max_length=128)
    line_item = TypedChoice(choices=[item.label for item in LineItem])
    unit_price = TypedDecimal(max_digits=24, decimal_places=12, min_value=0, allow_null=True)
    per = TypedChoice(choices=[1, 1_000, 1_000_000], default=1)
    effective_date = serializers.DateField(validators=[known_moment])
    usage_type = TypedChoice(choices=[item.label for item in UsageType], allow_null=True, default=None)
    service_tier = Text(max_length=40, allow_null=True, default=None)
    batch = TypedSwitch(allow_null=True, default=None)
    provider = Text(max_length=40, allow_null=True, default=None)
    speed = Text(max_length=40, allow_null=True, default=None)
    region = Text(max_length=40, allow_null=True, default=None)
    context_band = TypedChoice(choices=[0, *CONTEXT_BANDS], default=0)


class Fields(Strict):
    """What every kind takes: from when the change holds, where history counts."""

    effective_at = Moment(required=False, help_text="From when it holds; in the past only as far as nothing is billed.")


class OrganizationFields(Fields):
    """A customer. `id` takes over one that was made here by hand; `parent` pays for it."""

    id = Text(max_length=32, required=False, help_text="Takes over the organization with this id of ours.")
    name = Text(max_length=120)
    parent = ExternalId(  # type: ignore[assignment] # a field of it, not the serializer's parent
        allow_null=True, required=False, help_text="Who pays for it, from the UTC month of `effective_at` on."
    )
    usage_visibility = TypedChoice(choices=Organization.UsageVisibility.choices, required=False)
    billing_details = BillingDetailsFields(required=False)
    prices = serializers.ListField(
        child=PriceFields(), required=False, max_length=MOST_PRICES, help_text="Needs the scope `prices`."
    )


class UserFields(Fields):
    """A person. One who has confirmed this email address here already is taken over."""

    email = TypedEmail(max_length=254, validators=[one_line])
    name = Text(max_length=120, allow_blank=True, required=False)


class MembershipFields(Fields):
    """A person's place in an organization; `is_default` true makes it the one where their usage counts."""

    user = ExternalId()
    organization = ExternalId()
    role = TypedChoice(choices=Membership.Role.choices)
    is_default = TypedSwitch(required=False)


class ProjectFields(Fields):
    """A project of an organization."""

    organization = ExternalId()
    name = Text(max_length=120)


class Attributes(serializers.DictField):
    """Values by the names of attributes. The names are looked at first: an error of a value is answered with its name."""

    def run_child_validation(self, data: Mapping[str, Any]) -> Any:
        if len(data) > MOST_ATTRIBUTES:
            raise serializers.ValidationError(f"There are at most {MOST_ATTRIBUTES} attributes.")
        for name in map(str, data):
            if not 1 <= len(name) <= LONGEST_ATTRIBUTE_NAME or not is_printable(name):
                raise serializers.ValidationError(
                    f"A name has 1 to {LONGEST_ATTRIBUTE_NAME} characters, no control characters and no line breaks."
                )
        return super().run_child_validation(data)


class AttributionFields(Strict):
    """What usage of a key is for in an organization."""

    organization = ExternalId()
    project = ExternalId(allow_null=True, required=False)
    attributes = Attributes(child=Text(max_length=64, allow_blank=True), required=False)


class APIKeyFields(Fields):
    """A key of a person. With `digest`, the SHA-256 of a secret of yours in hex; without it a secret is made and shown once."""

    user = ExternalId()
    name = Text(max_length=255)
    digest = TypedPattern(
        r"\A[0-9a-fA-F]{64}\Z", required=False, error_messages={"invalid": "SHA-256 in 64 hexadecimal digits."}
    )
    tracked = TypedSwitch(required=False)
    created_at = Moment(required=False)
    expires_at = Moment(allow_null=True, required=False)
    attribution = AttributionFields(required=False)


class AdminKeyFields(Fields):
    """An organization's secret for the admin APIs, made here and shown once."""

    organization = ExternalId()
    name = Text(max_length=255)
    scopes = serializers.ListField(child=TypedChoice(choices=AdminKey.Scope.choices), allow_empty=False, max_length=10)
    expires_at = Moment(allow_null=True, required=False)


class IngestTokenFields(Fields):
    """A gateway's secret, made here and shown once."""

    name = Text(max_length=120)


class EndFields(Fields):
    """The end of something."""
