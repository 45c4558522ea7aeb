"""Readable names beside ids: one query for all that a page shows."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from accounts.models import Organization
from metering import price_words
from metering.attribution_models import OTHER
from metering.measures import UsageType
from metering.price_words import NOT_SAID
from metering.service_tiers import BUILT_IN
from metering.usage.groupings import (
    GROUPINGS,
    NONE,
    ORGANIZATION,
    OTHER_VALUES_NAME,
    PROJECT,
    PROVIDER,
    SERVICE_TIER,
    UNTRACKED,
    USAGE_TYPE,
    Grouping,
)
from metering.usage.queries import fetch


@dataclass(frozen=True)
class Named:
    """A model, user, key or organization as people know it. `address_value` stands for it in a query string.

    `place` decides its colour (metering/pages/palette.py).
    """

    id: int
    name: str
    address_value: str
    detail: str = ""
    place: int = 0


NO_CHOICES: Final[Mapping[Grouping, Iterable[tuple[int, str]]]] = {}
UNTRACKED_NAME: Final = Named(UNTRACKED, "Untracked", "untracked")
UNTRACKED_NAMES: Final = {
    (grouping, UNTRACKED): UNTRACKED_NAME for grouping in GROUPINGS.values() if grouping.has_untracked
}
SERVICE_TIER_NAMES: Final = {
    (SERVICE_TIER, number): Named(number, name, name, place=number - 1) for number, name in BUILT_IN.items()
}
USAGE_TYPE_NAMES: Final = {
    (USAGE_TYPE, usage_type.value): Named(
        usage_type.value, usage_type.label.replace("_", " "), usage_type.label, place=usage_type.value - 1
    )
    for usage_type in UsageType
}
PROVIDER_NAMES: Final = {
    (PROVIDER, NOT_SAID): Named(NOT_SAID, "No provider", "none"),
    (PROVIDER, price_words.OTHER): Named(price_words.OTHER, "Other providers", price_words.BUILT_IN[price_words.OTHER]),
}
OTHER_VALUES_REASON: Final = "too many in a month to be told apart"
DEFAULT_PROJECT: Final = Named(NONE, PROJECT.nothing_name, "default")


@dataclass(frozen=True)
class Names:
    """The names of a page, by group and id."""

    known: Mapping[tuple[Grouping, int], Named] = field(default_factory=dict)

    def of(self, group: Grouping, found_id: int) -> Named:
        """The name of an id; an id without a name shows itself."""
        return self.known.get((group, found_id), Named(found_id, f"#{found_id}", "", place=found_id))


def names_of(
    wanted: Mapping[Grouping, Collection[int]],
    organizations: Iterable[Organization] = (),
    choices: Mapping[Grouping, Iterable[tuple[int, str]]] = NO_CHOICES,
) -> Names:
    """The names of the parts with these ids, and of the organizations, in one query; none where nothing needs one.

    `choices` are parts that have their names from elsewhere, numbered from 1.
    """
    organizations = tuple(organizations)
    known = (
        UNTRACKED_NAMES
        | SERVICE_TIER_NAMES
        | USAGE_TYPE_NAMES
        | PROVIDER_NAMES
        | {(PROJECT, NONE): DEFAULT_PROJECT}
        | {key: named for grouping in wanted if grouping.attribute for key, named in names_beside_values(grouping)}
        | {
            (ORGANIZATION, found.id): Named(found.id, found.name, found.public_id, place=place)
            for place, found in enumerate(organizations)
        }
        | {
            (grouping, number): Named(number, label, "", place=number - 1)
            for grouping, labels in choices.items()
            for number, label in labels
        }
    )
    asked = {grouping: list(ids) for grouping, ids in wanted.items() if grouping.names and ids}
    if not asked:
        return Names(known)
    sql = " UNION ALL ".join(
        f"SELECT '{grouping.word}', named.* FROM ({grouping.names}) AS named" for grouping in asked
    )
    words = {grouping.word: grouping for grouping in asked}
    parameters = {grouping.word: ids for grouping, ids in asked.items()}
    rows = fetch(sql, {**parameters, "num_organizations": len(organizations)})
    return Names(known | {(words[word], columns[0]): Named(*columns) for word, *columns in rows})


def names_beside_values(grouping: Grouping) -> tuple[tuple[tuple[Grouping, int], Named], ...]:
    """How the parts of an attribute are called that are no value: usage without one, and what was too much to tell apart.

    In addresses a value stands behind a colon: 'team:red'; 'team:' is none, and 'team*', without one, Other values.
    """
    nothing = Named(NONE, grouping.nothing_name, f"{grouping.attribute}:")
    others = Named(OTHER, OTHER_VALUES_NAME, f"{grouping.attribute}*", OTHER_VALUES_REASON, place=OTHER)
    return ((grouping, NONE), nothing), ((grouping, OTHER), others)
