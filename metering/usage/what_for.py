"""What stored usage is for, in words: the project and the values behind an attribution's number."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Final

from accounts.models import Attribute, Project
from metering.attribution_models import OTHER, PROJECT, AttributeValue, AttributionPart

OTHER_VALUES: Final = "Other values"
WhatFor = tuple[tuple[str, str], ...]
"""(title, value) of each part: the project first, if it is not the default one, then the attributes by their titles."""


def what_for(attribution_ids: Collection[int]) -> Mapping[int, WhatFor]:
    """The parts of each attribution that has any. Four queries, however many there are."""
    parts: dict[int, list[tuple[int, int]]] = defaultdict(list)
    found = AttributionPart.objects.filter(attribution_id__in=set(attribution_ids))
    for attribution_id, attribute_id, value_id in found.values_list("attribution_id", "attribute_id", "value_id"):
        parts[attribution_id].append((attribute_id, value_id))
    flat = [part for of_one in parts.values() for part in of_one]
    attributes = Attribute.objects.in_bulk({attribute_id for attribute_id, _ in flat} - {PROJECT})
    projects = Project.objects.in_bulk({value_id for attribute_id, value_id in flat if attribute_id == PROJECT})
    values = AttributeValue.objects.in_bulk({value_id for attribute_id, value_id in flat if attribute_id != PROJECT})

    def in_words(attribute_id: int, value_id: int) -> tuple[bool, str, str]:
        if attribute_id == PROJECT:
            return False, "Project", projects[value_id].name
        return True, attributes[attribute_id].title, OTHER_VALUES if value_id == OTHER else values[value_id].value

    return {
        attribution_id: tuple((title, value) for _, title, value in sorted(in_words(*part) for part in of_one))
        for attribution_id, of_one in parts.items()
    }
