"""Forms of organizations."""

from django import forms

from accounts.models import Organization
from accounts.pages.forms import require_printable


class OrganizationNameForm(forms.Form):
    """The name of an organization."""

    name = forms.CharField(
        label="Name",
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "organization", "dir": "auto"}),
        error_messages={"required": "Enter a name."},
    )

    def clean_name(self) -> str:
        return require_printable(self.cleaned_data["name"])


class UsageVisibilityForm(forms.Form):
    """Who sees the usage of an organization."""

    usage_visibility = forms.ChoiceField(label="Who sees its usage", choices=Organization.UsageVisibility.choices)
