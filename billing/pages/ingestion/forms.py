"""Forms of the Ingestion page: a key that came from elsewhere, and a test event."""

import re
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError

from apikeys.keys.keys import MAX_NAME_LENGTH
from apikeys.models import APIKey
from metering.intake.received import shown

DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}")
MAX_TOKENS: Final = 1_000_000


class ImportKeyForm(forms.Form):
    """A key by the digest of its secret. `key` is the name under which it was seen, if it was."""

    key = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)
    email = forms.EmailField(label="Owner's email", help_text="A person who has an account here.")
    name = forms.CharField(label="Name of the key", max_length=MAX_NAME_LENGTH)
    digest = forms.CharField(
        label="SHA-256 of its secret",
        max_length=64,
        help_text="64 hexadecimal digits, as LiteLLM shows and sends them. Never the secret itself.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_digest(self) -> str:
        digest: str = self.cleaned_data["digest"].strip().lower()
        if not DIGEST.fullmatch(digest):
            raise ValidationError("Enter the 64 hexadecimal digits of the SHA-256.")
        seen = self.cleaned_data.get("key")
        if seen and shown.key_name(digest) != seen:
            raise ValidationError(f"This is the digest of another key: the one that was seen begins with {seen}.")
        return digest


class TestEventForm(forms.Form):
    """One event of a key."""

    __test__ = False  # of pytest
    api_key = forms.CharField(label="API key", max_length=32, help_text="Its id: key_…")
    model = forms.CharField(label="Model", max_length=128, initial="gpt-4o")
    input_tokens = forms.IntegerField(label="Input tokens", min_value=0, max_value=MAX_TOKENS, initial=100)
    output_tokens = forms.IntegerField(label="Output tokens", min_value=0, max_value=MAX_TOKENS, initial=20)

    def clean_api_key(self) -> APIKey:
        named: Any = self.cleaned_data["api_key"].strip()
        found = APIKey.objects.filter(public_id=named).select_related("user__default_organization").first()
        if found is None:
            raise ValidationError("There is no API key with this id. The API keys page and Key coverage show ids.")
        return found
