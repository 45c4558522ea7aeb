"""Forms of the Provisioning page."""

from django import forms

from accounts.models import Membership


class GroupRoleForm(forms.Form):
    """The role that the people of a group have; without one, the group gives none."""

    role = forms.ChoiceField(choices=[("", "No role"), *Membership.Role.choices], required=False)
