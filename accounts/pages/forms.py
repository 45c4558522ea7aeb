"""Forms of user settings and organization settings."""

import unicodedata
from typing import Any

from django import forms

from accounts.access import Access, organizations_of
from accounts.emails import normalized
from accounts.members.membership import roles_to_give
from accounts.models import Membership, Organization, User

UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, lone surrogates, line breaks


def require_printable(name: str) -> str:
    """The name. Raises ValidationError if it has control characters or line breaks."""
    if any(unicodedata.category(character) in UNPRINTABLE for character in name):
        raise forms.ValidationError("A name cannot contain control characters or line breaks.")
    return name


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    """What others see of a person."""

    class Meta:
        model = User
        fields = ["name"]
        labels = {"name": "Name"}
        help_texts = {"name": "Shown to people of your organizations; without one, your e-mail is shown."}

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
        field.queryset = Organization.objects.filter(id__in=[found.id for found in organizations_of(user)]).order_by(
            "name", "id"
        )


class OrganizationNameForm(forms.Form):
    """The name of an organization."""

    name = forms.CharField(
        label="Name",
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "organization", "dir": "auto"}),
        error_messages={"required": "Give it a name."},
    )

    def clean_name(self) -> str:
        return require_printable(self.cleaned_data["name"])


class UsageVisibilityForm(forms.Form):
    """Who sees the usage of an organization."""

    usage_visibility = forms.ChoiceField(label="Who sees its usage", choices=Organization.UsageVisibility.choices)


class RoleForm(forms.Form):
    """A role that this person may give."""

    role = forms.ChoiceField(label="Role")

    def __init__(self, *args: Any, access: Access, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["role"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = roles_to_give(access)
        field.initial = Membership.Role.READER


class InvitationForm(RoleForm):
    """Whom to invite, and as what."""

    email = forms.EmailField(
        label="E-mail", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    )
    field_order = ["email", "role"]

    def clean_email(self) -> str:
        return normalized(self.cleaned_data["email"])
