"""Forms of members and invitations."""

from typing import Any, Final

from django import forms
from django.conf import settings
from django.utils.module_loading import import_string

from accounts.access import Access
from accounts.emails import normalized
from accounts.members.membership import roles_to_give
from accounts.models import Membership, Organization, User

NEW: Final = "new"
BEFORE: Final = "before"


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


class JoiningForm(forms.Form):
    """Where usage of the keys of a person who joins counts from then on: in the new organization, or where it does now.

    The new one is proposed to who has none, or a personal one that has never had usage. Whoever says nothing changes nothing.
    """

    counts_in = forms.ChoiceField(label="Usage of your API keys counts in", required=False, widget=forms.RadioSelect)

    def __init__(self, data: Any = None, *, joins: Organization, user: User) -> None:
        before = user.default_organization
        is_unused = before is None or (before.is_personal and not import_string(settings.HAS_USAGE)(before.pk))
        super().__init__(data, initial={"counts_in": NEW if is_unused else BEFORE})
        field = self.fields["counts_in"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(NEW, joins.name), *([(BEFORE, before.name)] if before else [])]

    @property
    def makes_default(self) -> bool:
        return bool(self.cleaned_data["counts_in"] == NEW)


class InvitationForm(RoleForm):
    """Whom to invite, and as what."""

    email = forms.EmailField(
        label="Email", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    )
    field_order = ["email", "role"]

    def clean_email(self) -> str:
        return normalized(self.cleaned_data["email"])
