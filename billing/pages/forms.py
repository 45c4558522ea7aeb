"""Forms of the Billing page and of the price book."""

import json
import re
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from accounts.models import Organization
from accounts.pages.forms import is_printable
from accounts.periods import FIRST_YEAR, LAST_YEAR, is_known
from billing.alerts import News, StaffNews, WebhookFormat
from billing.budgets.budgets import MAX_THRESHOLD
from billing.display import usual_unit
from billing.line_items import UNITS_OF_A_PRICE
from billing.models import BillingDetails, LineItem
from billing.money import BILLED_DIGITS
from billing.notices import chats, webhook_addresses
from billing.prices.rerating import PriceRefusedError, Terms
from metering import price_words, service_tiers
from metering.attribution_models import MAX_VALUE_LENGTH
from metering.measures import CONTEXT_BANDS, UsageType
from metering.models import Model
from metering.price_words import Dimension

ANY: Final = ("", "Any")
MAX_THRESHOLDS: Final = 10
USUAL: Final = {line_item.value: f"per {usual_unit(line_item)}" for line_item in LineItem}


class BillingDetailsForm(forms.ModelForm):  # type: ignore[type-arg]
    """Whom invoices are made out to; the terms are the operator's."""

    class Meta:
        model = BillingDetails
        fields = ["legal_name", "address", "tax_id"]
        labels = {"legal_name": "Legal name", "address": "Address", "tax_id": "Tax ID"}
        widgets = {"address": forms.Textarea(attrs={"rows": 4})}
        help_texts = {"legal_name": "Changes apply to invoices that are not final."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["legal_name"].required = True
        self.fields["address"].required = True


class BudgetForm(forms.Form):
    """A monthly budget and when to be told of it."""

    amount = forms.DecimalField(
        max_digits=14, decimal_places=2, min_value=Decimal("0.01"), label="Monthly budget in US dollars"
    )
    thresholds = forms.CharField(
        max_length=80,
        required=False,
        label="Notify at",
        help_text="Percentages of the budget, separated by commas. Owners get an email at each, once a month.",
    )
    is_hard = forms.BooleanField(
        required=False, label="Block what the budget covers when it is used up (until the next month, UTC)"
    )

    def clean_thresholds(self) -> list[int]:
        words = re.findall(r"[^\s,;%]+", self.cleaned_data["thresholds"])
        if not all(re.fullmatch(r"[0-9]{1,4}", word) and 0 < int(word) <= MAX_THRESHOLD for word in words):
            raise ValidationError(f"Enter whole percentages between 1 and {MAX_THRESHOLD}, for example 50, 80, 100.")
        if len(set(words)) > MAX_THRESHOLDS:
            raise ValidationError(f"Enter at most {MAX_THRESHOLDS} percentages.")
        return sorted({int(word) for word in words})


class AttributeValueForm(forms.Form):
    """Which value of which attribute a budget is about. `names` are those that are declared, `values` suggestions."""

    attribute = forms.ChoiceField(label="Attribute")
    value = forms.CharField(max_length=MAX_VALUE_LENGTH, label="Value", help_text="As events and API keys say it.")

    def __init__(self, *args: Any, names: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["attribute"] = forms.ChoiceField(label="Attribute", choices=names)
        self.fields["value"].widget.attrs["list"] = "attribute-values"

    def clean_value(self) -> str:
        value: str = self.cleaned_data["value"]
        if not is_printable(value):
            raise ValidationError("A value cannot contain control characters or line breaks.")
        return value


class WebhookForm(forms.Form):
    """An address that is told of budgets, invoices and keys, how it wants them, and of what."""

    news: type[News | StaffNews] = News
    format = forms.ChoiceField(choices=WebhookFormat, label="For", initial=WebhookFormat.STANDARD)
    url = forms.URLField(
        max_length=500,
        label="URL",
        assume_scheme="https",
        help_text="Of a program of yours, or the incoming webhook that Slack, Teams (a workflow) or Discord made for a channel.",
    )
    event_types = forms.MultipleChoiceField(
        label="Events",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["event_types"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices, field.initial = self.news.choices, self.news.values

    def clean(self) -> dict[str, Any]:
        """An address of a chat is a secret, and understood by that chat alone: it is not taken for a program's."""
        cleaned: dict[str, Any] = super().clean() or {}
        parts = urlsplit(cleaned.get("url", ""))
        chat = chats.chat_at(parts.hostname or "", parts.path)
        if chat and cleaned.get("format") == WebhookFormat.STANDARD:
            self.add_error("format", f"This is an address of {chat.label}: choose {chat.label}.")
        if (
            cleaned.get("format") != WebhookFormat.STANDARD
            and parts.scheme == "http"
            and not settings.WEBHOOK_PRIVATE_ADDRESSES
        ):
            self.add_error("url", "An address of a chat begins with https://.")
        return cleaned

    def clean_event_types(self) -> list[str]:
        """None stands for all, also those that are added later."""
        chosen: list[str] = self.cleaned_data["event_types"]
        return [] if set(chosen) == set(self.news.values) else chosen

    def clean_url(self) -> str:
        """As it is stored, and only if webhooks may be sent there."""
        try:
            url = webhook_addresses.normalized(self.cleaned_data["url"])
            webhook_addresses.look_up(url)
        except webhook_addresses.AddressRefusedError as error:
            raise ValidationError(str(error)) from error
        return url


class StaffWebhookForm(WebhookForm):
    """The same for news of the installation, which are staff's."""

    news = StaffNews


def _word_field(dimension: Dimension) -> forms.TypedChoiceField:
    """One of the words that events have said."""
    return forms.TypedChoiceField(
        choices=lambda: [ANY, *price_words.names(dimension).items()], required=False, coerce=int, empty_value=None
    )


class PriceForm(forms.Form):
    """One price of the book: what it is for, from when it holds, and how much a number of units costs."""

    model = forms.CharField(max_length=128, label="Model", help_text="As the API reports it.")
    line_item = forms.TypedChoiceField(choices=LineItem.choices, coerce=lambda value: LineItem(int(value)))
    organization = forms.CharField(
        max_length=60, required=False, help_text="The address (slug) of an organization with a price of its own."
    )
    usage_type = forms.TypedChoiceField(
        choices=[ANY, *UsageType.choices], required=False, coerce=lambda value: UsageType(int(value)), empty_value=None
    )
    service_tier = forms.TypedChoiceField(
        choices=lambda: [ANY, *service_tiers.names().items()],
        required=False,
        coerce=int,
        empty_value=None,
    )
    batch = forms.TypedChoiceField(
        choices=[ANY, ("yes", "Batch"), ("no", "Not batch")],
        required=False,
        coerce=lambda value: value == "yes",
        empty_value=None,
    )
    provider = _word_field(Dimension.PROVIDER)
    speed = _word_field(Dimension.SPEED)
    region = _word_field(Dimension.REGION)
    context_band = forms.TypedChoiceField(
        choices=[(0, "Any size of request"), *((band, f"Above {band:,} tokens") for band in CONTEXT_BANDS)],
        coerce=int,
        label="Context",
    )
    effective_date = forms.DateField(label="From (UTC day)", widget=forms.DateInput(attrs={"type": "date"}))
    amount = forms.DecimalField(
        required=False,
        min_value=Decimal(0),
        max_digits=24,
        decimal_places=12,
        label="Price in US dollars",
        help_text="Leave it empty to end pricing on that day: usage then reads as unpriced.",
    )
    per = forms.TypedChoiceField(
        choices=[
            ("", "per 1M tokens, characters or byte-days, per single other unit"),
            (1, "per unit"),
            (1_000, "per 1,000 units"),
            (1_000_000, "per 1 million units"),
        ],
        coerce=int,
        empty_value=None,
        required=False,
        label="Price is",
        widget=forms.Select(attrs={"data-unit-of": "line_item", "data-units": json.dumps(USUAL)}),
    )

    def clean_organization(self) -> Organization | None:
        slug = self.cleaned_data["organization"]
        if not slug:
            return None
        try:
            return Organization.objects.get(slug=slug)
        except Organization.DoesNotExist as error:
            raise ValidationError(f"There is no organization with the address {slug}.") from error

    def clean(self) -> dict[str, Any]:
        """Adds `terms`; a model that is new to the installation is stored with the change and not before."""
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        amount: Decimal | None = cleaned["amount"]
        per = cleaned["per"] or UNITS_OF_A_PRICE[cleaned["line_item"]]
        if not is_known(cleaned["effective_date"]):
            raise ValidationError(f"Prices begin in the years {FIRST_YEAR} to {LAST_YEAR}.")
        try:
            cleaned["terms"] = Terms(
                model=Model.objects.filter(name=cleaned["model"]).first() or Model(name=cleaned["model"]),
                line_item=cleaned["line_item"],
                effective_date=cleaned["effective_date"],
                unit_price=None if amount is None else amount / per,
                organization=cleaned["organization"],
                usage_type=cleaned["usage_type"],
                service_tier=cleaned["service_tier"],
                batch=cleaned["batch"],
                **{name: cleaned[name] for name in price_words.DIMENSIONS},
                context_band=cleaned["context_band"],
            )
        except PriceRefusedError as error:
            raise ValidationError(str(error)) from error
        return cleaned


class RefundForm(forms.Form):
    """How much of a balance was paid back."""

    amount = forms.DecimalField(max_digits=BILLED_DIGITS, decimal_places=2, min_value=Decimal("0.01"))


class ReleaseForm(forms.Form):
    """The total of a held invoice as the page showed it."""

    amount = forms.DecimalField(max_digits=BILLED_DIGITS, decimal_places=2)


class GrantForm(forms.Form):
    """A credit grant for the organization that pays."""

    organization = forms.CharField(max_length=60, help_text="The organization's slug, as in its URL.")
    name = forms.CharField(max_length=120)
    amount = forms.DecimalField(
        max_digits=14, decimal_places=2, min_value=Decimal("0.01"), label="Amount in US dollars"
    )
    category = forms.ChoiceField(choices=[("promotional", "Promotional"), ("paid", "Paid")])
    priority = forms.IntegerField(min_value=0, max_value=999, initial=50, help_text="Lower numbers are used first.")
    effective_date = forms.DateField(label="From (UTC day)", widget=forms.DateInput(attrs={"type": "date"}))
    last_date = forms.DateField(required=False, label="Last day (UTC)", widget=forms.DateInput(attrs={"type": "date"}))

    def clean_organization(self) -> Organization:
        found = Organization.objects.filter(slug=self.cleaned_data["organization"]).first()
        if found is None:
            raise ValidationError("There is no organization with this slug.")
        return found

    def clean_last_date(self) -> Any:
        """The day after the last one, which is when the grant expires."""
        last = self.cleaned_data["last_date"]
        return _known_day(last) + timedelta(days=1) if last else None

    def clean_effective_date(self) -> date:
        return _known_day(self.cleaned_data["effective_date"])


def _known_day(day: date) -> date:
    """The day. Raises ValidationError outside of the calendar that usage has."""
    if not is_known(day):
        raise ValidationError(f"Enter a day in the years {FIRST_YEAR} to {LAST_YEAR}.")
    return day
