"""Forms of the API keys page."""

from datetime import datetime, timedelta
from typing import Any

from django import forms

from apikeys import secrets
from apikeys.keys.keys import MAX_NAME_LENGTH, InvalidNameError, clean_name
from apikeys.models import APIKey

EXPIRY_CHOICES = [("", "Never"), ("7", "In 7 days"), ("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year")]

OVERLAP_CHOICES = [
    ("24", "1 day"),
    ("0", "Revoke it now"),
    ("1", "1 hour"),
    ("168", "7 days"),
    ("720", "30 days"),
]


class NameForm(forms.Form):
    """The name of a key. A secret that was pasted into it is refused, and not sent back in the page."""

    name = forms.CharField(
        label="Name",
        # The length is judged by `clean_name`, after white space is gone; here only the browser is told.
        widget=forms.TextInput(
            attrs={"maxlength": MAX_NAME_LENGTH, "autocomplete": "off", "dir": "auto", "spellcheck": "false"}
        ),
        error_messages={"required": "Enter a name."},
    )

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        if data is not None and secrets.contains_secret(data.get("name", "")):
            self.pasted_secret = data["name"]
            data = data.copy()
            data["name"] = ""
        else:
            self.pasted_secret = ""
        super().__init__(data, **kwargs)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        try:
            cleaned["name"] = clean_name(self.pasted_secret or cleaned.get("name", ""))
        except InvalidNameError as error:
            self.errors.pop("name", None)
            self.add_error("name", str(error))
        return cleaned


class NewKeyForm(NameForm):
    """A new key: its name, and how long it opens the API."""

    expires_in_days = forms.TypedChoiceField(
        label="Expires", choices=EXPIRY_CHOICES, coerce=int, empty_value=None, required=False
    )

    def expires_at(self, now: datetime) -> datetime | None:
        days = self.cleaned_data["expires_in_days"]
        return None if days is None else now + timedelta(days=days)


class RotationForm(forms.Form):
    """For how long the secret until now stays valid beside the new one."""

    overlap_hours = forms.TypedChoiceField(label="Keep the old secret valid for", choices=OVERLAP_CHOICES, coerce=int)
    ends_earlier = forms.BooleanField(error_messages={"required": "Confirm that this secret ends."})
    replaces = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, api_key: APIKey, now: datetime) -> None:
        """While the secret before the last rotation is still valid, its end is to be confirmed."""
        super().__init__(data, initial={"replaces": api_key.redacted})
        earlier_until = api_key.old_secret_until(now)
        if earlier_until is None:
            del self.fields["ends_earlier"]
        else:
            self.fields["ends_earlier"].label = (
                "End the secret from before the last rotation now. "
                f"It would be valid until {earlier_until:%b %-d, %Y %H:%M} UTC and may still be in use."
            )

    @property
    def overlap(self) -> timedelta:
        return timedelta(hours=self.cleaned_data["overlap_hours"])


class TrackingForm(forms.Form):
    """The state that the switch asks for."""

    tracked = forms.TypedChoiceField(choices=[("on", "on"), ("off", "off")], coerce=lambda value: value == "on")
