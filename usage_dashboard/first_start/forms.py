"""The form of the first start."""

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password

from accounts.models import User
from accounts.pages.forms import require_printable


class FirstStartForm(forms.Form):
    """The code from the log, who is the first of staff, and what the first organization is called."""

    code = forms.CharField(
        max_length=64,
        label="Code",
        help_text="It was printed when this installation was started.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    name = forms.CharField(max_length=120, label="Your name", widget=forms.TextInput(attrs={"autocomplete": "name"}))
    email = forms.EmailField(
        max_length=254, label="Your email", widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )
    password = forms.CharField(
        max_length=200,
        label="A password for you",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    organization = forms.CharField(
        max_length=120,
        label="Your first organization",
        help_text="Yours, or a customer's. It can be renamed.",
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )

    def clean_name(self) -> str:
        return require_printable(self.cleaned_data["name"])

    def clean_organization(self) -> str:
        return require_printable(self.cleaned_data["organization"])

    def clean(self) -> dict[str, Any]:
        """The password is judged with whose it is."""
        cleaned: dict[str, Any] = super().clean() or {}
        if password := cleaned.get("password"):
            person = User(email=cleaned.get("email", ""), name=cleaned.get("name", ""))
            try:
                validate_password(password, person)
            except forms.ValidationError as error:
                self.add_error("password", error)
        return cleaned
