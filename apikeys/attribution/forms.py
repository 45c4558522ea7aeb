"""The form in which a key's project and values are chosen."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms

from accounts.models import Organization, Project
from accounts.projects.attributes import MAX_VALUE_LENGTH
from accounts.projects.projects import default_name
from apikeys.attribution.attribution import choices_for, version_of
from apikeys.models import KeyAttribution

PREFIX: Final = "attribute_"


class AttributionForm(forms.Form):
    """A project by its public id, empty for the default one, and a field for each declared attribute.

    Values are judged by the domain. `replaces` says what the person has seen, so that nobody undoes unseen what another chose.
    """

    project = forms.ChoiceField(required=False, label="Project")
    replaces = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(
        self, data: Mapping[str, Any] | None, *, organization: Organization, chosen: KeyAttribution | None
    ) -> None:
        super().__init__(data)
        projects, attributes = choices_for(organization, chosen)
        self.projects = {project.public_id: project for project in projects}
        self.initial = {
            "project": chosen.project.public_id if chosen and chosen.project else "",
            "replaces": version_of(chosen),
            **{PREFIX + name: value for name, value in (chosen.attributes if chosen else {}).items()},
        }
        field = self.fields["project"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", default_name(organization)), *((key, _label(one)) for key, one in self.projects.items())]
        self.attributes = attributes
        for attribute in attributes:
            self.fields[PREFIX + attribute.name] = forms.CharField(
                required=False,
                label=attribute.title,
                widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto", "maxlength": MAX_VALUE_LENGTH}),
            )

    @property
    def chosen_project(self) -> Project | None:
        return self.projects.get(self.cleaned_data["project"])

    @property
    def chosen_values(self) -> dict[str, str]:
        return {attribute.name: self.cleaned_data[PREFIX + attribute.name] for attribute in self.attributes}

    @property
    def has_choices(self) -> bool:
        """Whether there is anything to choose, for a key without a project and without values."""
        return bool(self.projects or self.attributes)


def _label(project: Project) -> str:
    return f"{project.name} (archived)" if project.archived_at is not None else project.name
