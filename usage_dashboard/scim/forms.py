"""Forms of the Provisioning page."""

from django import forms

from accounts.models import Membership


class GroupRoleForm(forms.Form):
    """The role that the people of a group have; without one, the group gives none.

    `confirmed` is what the question before new owners adds.
    """

    role = forms.ChoiceField(choices=[("", "No role"), *Membership.Role.choices], required=False)
    confirmed = forms.BooleanField(required=False)

    @property
    def is_in_question(self) -> bool:
        return self.cleaned_data["role"] == Membership.Role.OWNER and not self.cleaned_data["confirmed"]
