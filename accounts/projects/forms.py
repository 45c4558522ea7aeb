"""Forms of projects and attributes."""

from django import forms

from accounts.pages.forms import require_printable
from accounts.projects.attributes import MAX_TITLE_LENGTH


class ProjectNameForm(forms.Form):
    """The name of a project."""

    name = forms.CharField(
        label="Name",
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
        error_messages={"required": "Enter a name."},
    )

    def clean_name(self) -> str:
        return require_printable(self.cleaned_data["name"])


class AttributeTitleForm(forms.Form):
    """The title of an attribute. What a title may be is judged by the domain."""

    title = forms.CharField(
        label="Title",
        help_text="How pages call it, for example “End customer”.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto", "maxlength": MAX_TITLE_LENGTH}),
        error_messages={"required": "Enter a title."},
    )


class NewAttributeForm(AttributeTitleForm):
    """A name to declare, and its title."""

    name = forms.CharField(
        label="Name",
        help_text="How events call it: lower-case letters, digits and underscores, for example “end_customer”.",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false", "maxlength": 32}
        ),
        error_messages={"required": "Enter a name."},
    )
    field_order = ["name", "title"]
