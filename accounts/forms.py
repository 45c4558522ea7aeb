"""Forms of user settings."""

import unicodedata
from typing import Any

from django import forms

from accounts.access import organizations_of
from accounts.models import Organization, User


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    """What others see of a person."""

    class Meta:
        model = User
        fields = ["name"]
        labels = {"name": "Name"}
        help_texts = {"name": "Shown to people of your organizations; without one, your e-mail is shown."}

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in name):
            raise forms.ValidationError("A name cannot contain control characters or line breaks.")
        return name


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
        field.queryset = Organization.objects.filter(id__in=[found.id for found in organizations_of(user)]).order_by(
            "name", "id"
        )
