"""The form of a new admin key."""

from django import forms

from apikeys.keys.forms import NewKeyForm
from apikeys.models import AdminKey


class NewAdminKeyForm(NewKeyForm):
    """Its name, how long it opens the admin APIs, and what it may read there."""

    scopes = forms.MultipleChoiceField(
        label="May read",
        choices=AdminKey.Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose what the key may read."},
    )
