"""The form of a new operator token."""

from django import forms

from apikeys.keys.forms import NewKeyForm
from apikeys.models import OperatorToken


class NewOperatorTokenForm(NewKeyForm):
    """Its name, how long it is valid, and what it may do."""

    scopes = forms.MultipleChoiceField(
        label="May do",
        choices=OperatorToken.Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose what the token may do."},
    )
