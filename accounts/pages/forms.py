"""Forms of user settings, and what every name keeps to."""

import unicodedata
from typing import Any

from django import forms

from accounts.access import organizations_of
from accounts.models import Organization, User

OFFERED_MOST = 100
"""Organizations that a list to choose from names; any other of one's own may be chosen as well."""
UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, lone surrogates, line breaks


def is_printable(text: str) -> bool:
    """Whether the text has no control characters and no line breaks."""
    return not any(unicodedata.category(character) in UNPRINTABLE for character in text)


def require_printable(name: str) -> str:
    """The name. Raises ValidationError if it has control characters or line breaks."""
    if not is_printable(name):
        raise forms.ValidationError("A name cannot contain control characters or line breaks.")
    return name


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    """What others see of a person."""

    class Meta:
        model = User
        fields = ["name"]
        labels = {"name": "Name"}
        help_texts = {"name": "Shown to people of your organizations; without one, your email is shown."}

    def clean_name(self) -> str:
        return require_printable(self.cleaned_data["name"])


class DefaultOrganizationForm(forms.Form):
    """A choice among the organizations that the user is in now, by public id."""

    organization = forms.ModelChoiceField(
        Organization.objects.none(),
        to_field_name="public_id",
        empty_label=None,
        label="Default organization",
        error_messages={"invalid_choice": "You are not in this organization. Choose one of yours."},
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["organization"] = user.default_organization
        field = self.fields["organization"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = organizations_of(user)
        offered = list(field.queryset[: OFFERED_MOST + 1])
        if len(offered) > OFFERED_MOST:
            default = user.default_organization
            named = [*([default] if default not in offered else []), *offered[:OFFERED_MOST]]
            field.choices = [(one.public_id, one.name) for one in named if one is not None]
            field.help_text = "The first of them by name; the others are under Organizations."
