"""Forms of members and invitations."""

from typing import Any

from django import forms

from accounts.access import Access
from accounts.emails import normalized
from accounts.members.membership import roles_to_give
from accounts.models import Membership


class RoleForm(forms.Form):
    """A role that this person may give."""

    role = forms.ChoiceField(label="Role")

    def __init__(self, *args: Any, access: Access, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["role"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = roles_to_give(access)
        field.initial = Membership.Role.READER


class RoleChangeForm(RoleForm):
    """Another role for a member. `confirmed` is what the question before a new owner adds."""

    confirmed = forms.BooleanField(required=False)

    @property
    def is_in_question(self) -> bool:
        return self.cleaned_data["role"] == Membership.Role.OWNER and not self.cleaned_data["confirmed"]


class InvitationForm(RoleForm):
    """Whom to invite, and as what."""

    email = forms.EmailField(
        label="Email", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    )
    field_order = ["email", "role"]

    def clean_email(self) -> str:
        return normalized(self.cleaned_data["email"])
