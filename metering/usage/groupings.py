"""The ways to tell usage apart: everything that is particular to one of them stands in its row of this table."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from accounts.pages.words import plural
from metering.attribution_models import OTHER
from metering.attribution_models import PROJECT as OF_PROJECT

UNTRACKED: Final = 0
NONE: Final = 0
"""The part of usage that says nothing of a dimension."""


class Grain(StrEnum):
    """What rows are told apart by, beside SKU and time; the value stands in the names of their tables."""

    KEY = ""
    USER = "user"
    UNTRACKED = "untracked"
    ORGANIZATION = "organization"


class View(StrEnum):
    """The two views of the Usage tab."""

    ACTIVITY = "activity"
    COST = "cost"


ATTRIBUTE: Final = "attribute:"
"""A word that begins like this is followed by the name of an attribute."""


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """One way to tell usage apart, and how its parts are named, found and listed. Its word says which it is.

    `word` stands for it in addresses, `label` on pages. `column` tells rows of usage apart, of which those of `grain` are the
    coarsest that know it; None is told apart by what is charged, which usage rows do not know, or by `dimensions`: ids of
    attributes with one name, one of an organization at most, or PROJECT. `names` is a query of (id, name, value in addresses,
    detail, place) of the ids in the parameter that is called like the word; `words` one of (id, what a search looks into,
    which is nothing that the list does not show) of all that exist, and may use the parameter `nothing`, which is
    `nothing_name`: what the part of usage is called that says nothing of the dimension. Without them names come from
    elsewhere, and there is no list of all parts. `has_untracked`: the part UNTRACKED is the usage that no row names a key
    of. `num_colors`: how many colours its parts have by their places.
    """

    word: str
    label: str = field(compare=False)
    column: str | None = field(default=None, repr=False, compare=False)
    grain: Grain = field(default=Grain.ORGANIZATION, repr=False, compare=False)
    dimensions: tuple[int, ...] = field(default=(), repr=False, compare=False)
    names: str = field(default="", repr=False, compare=False)
    words: str = field(default="", repr=False, compare=False)
    nothing_name: str = field(default="", repr=False, compare=False)
    views: frozenset[View] = field(default=frozenset(View), repr=False, compare=False)
    only_of_several_organizations: bool = field(default=False, repr=False, compare=False)
    has_untracked: bool = field(default=False, repr=False, compare=False)
    num_colors: int = field(default=8, repr=False, compare=False)

    @property
    def has_list(self) -> bool:
        return bool(self.words)

    @property
    def has_many_parts(self) -> bool:
        """Whether there may be thousands of parts: users, keys, or values of a dimension."""
        return self.grain in (Grain.USER, Grain.KEY) or bool(self.dimensions)

    @property
    def is_told_by_keys(self) -> bool:
        """Whether the rows of keys tell its parts apart without their SKUs."""
        return (self.column or "").startswith("usage.")

    @property
    def is_of_projects(self) -> bool:
        return self.dimensions == (OF_PROJECT,)

    @property
    def attribute(self) -> str:
        """The name of the attribute that it is by, or nothing."""
        return self.word.removeprefix(ATTRIBUTE) if self.word.startswith(ATTRIBUTE) else ""

    @property
    def ids_parameter(self) -> str:
        """The parameter of SQL that holds its dimensions."""
        return f"ids of {self.word}"

    @property
    def filter_name(self) -> str:
        """The parameter of addresses that narrows a page to some of its parts."""
        return "attribute" if self.attribute else self.word

    def is_untracked(self, part: int) -> bool:
        return self.has_untracked and part == UNTRACKED

    def is_value(self, part: int) -> bool:
        """Whether the part is one value of an attribute, which neither none nor Other values is."""
        return bool(self.attribute) and part not in (NONE, OTHER)

    def is_of_nothing(self, part: int) -> bool:
        """Whether the part is the usage that is told by no key, or that has no value of the attribute."""
        return self.is_untracked(part) or (bool(self.attribute) and part == NONE)


MODEL: Final = Grouping(
    word="model",
    label="Model",
    column="sku.model_id",
    # A model's place is its place in the order in which this installation first saw its models; it never changes.
    names="SELECT id, name, name, '', (SELECT count(*) FROM metering_model older WHERE older.id < metering_model.id)"
    " FROM metering_model WHERE id = ANY(%(model)s)",
    words="SELECT id, name AS words FROM metering_model",
    num_colors=16,
)
USER: Final = Grouping(
    word="user",
    label="User",
    column="usage.user_id",
    grain=Grain.USER,
    names="SELECT id, coalesce(nullif(name, ''), email), public_id, '', id FROM accounts_user WHERE id = ANY(%(user)s)",
    words="SELECT id, coalesce(nullif(name, ''), email) AS words FROM accounts_user",
)
API_KEY: Final = Grouping(
    word="api_key",
    label="API key",
    column="usage.api_key_id",
    grain=Grain.KEY,
    names="SELECT id, name, public_id, redacted, id FROM apikeys_apikey WHERE id = ANY(%(api_key)s)",
    words="SELECT id, concat_ws(' ', name, redacted) AS words FROM apikeys_apikey"
    f" UNION ALL SELECT {UNTRACKED}, 'Untracked'",
    has_untracked=True,
)
ORGANIZATION: Final = Grouping(
    word="organization",
    label="Organization",
    column="usage.organization_id",
    words="SELECT id, name AS words FROM accounts_organization",
    only_of_several_organizations=True,
)
USAGE_TYPE: Final = Grouping(word="usage_type", label="Usage type", column="sku.usage_type")
SERVICE_TIER: Final = Grouping(
    word="service_tier",
    label="Service tier",
    column="sku.service_tier",
    names="SELECT id, word, word, '', id FROM metering_servicetierword WHERE id = ANY(%(service_tier)s)",
)
PROVIDER: Final = Grouping(
    word="provider",
    label="Provider",
    column="sku.provider",
    names="SELECT id, word, word, '', id FROM metering_priceword WHERE id = ANY(%(provider)s)",
)
# Usage without a project has the organization's default one, whose id stands in no row of usage (`usage.attributed`).
PROJECT: Final = Grouping(
    word="project",
    label="Project",
    dimensions=(OF_PROJECT,),
    names="SELECT project.id, project.name, project.public_id,"
    " CASE WHEN %(num_organizations)s > 1 THEN organization.name ELSE '' END, project.id"
    " FROM accounts_project AS project JOIN accounts_organization AS organization ON organization.id = project.organization_id"
    " WHERE project.id = ANY(%(project)s)",
    words=f"SELECT id, name AS words FROM accounts_project UNION ALL SELECT {NONE}, %(nothing)s",
    nothing_name="Default project",
)
LINE_ITEM: Final = Grouping(word="line_item", label="Line item", views=frozenset({View.COST}))

GROUPINGS: Final = {
    grouping.word: grouping
    for grouping in (MODEL, PROJECT, USER, API_KEY, ORGANIZATION, USAGE_TYPE, SERVICE_TIER, PROVIDER, LINE_ITEM)
}
DEFAULT: Final = MODEL


OTHER_VALUES_NAME: Final = "Other values"


def attribute_grouping(name: str, title: str, ids: Sequence[int]) -> Grouping:
    """By the values of the attributes with these ids, which have this name (`accounts.models.Attribute` says of what form)."""
    word = f"{ATTRIBUTE}{name}"
    return Grouping(
        word=word,
        label=title,
        dimensions=tuple(ids),
        names=f"SELECT id, value, '{name}:' || value, '', id FROM metering_attributevalue WHERE id = ANY(%({word})s)",
        words="SELECT id, value AS words FROM metering_attributevalue"
        f" UNION ALL SELECT {NONE}, %(nothing)s UNION ALL SELECT {OTHER}, '{OTHER_VALUES_NAME}'",
        nothing_name=f"No {plural(title, 1)}",
    )


def groupings_of(view: View, *, num_organizations: int, attributes: Sequence[Grouping] = ()) -> tuple[Grouping, ...]:
    """Those that a view can draw, in the order of its menu; `attributes` are those that the organizations declared."""
    return tuple(
        grouping
        for grouping in (*GROUPINGS.values(), *attributes)
        if view in grouping.views and (num_organizations > 1 or not grouping.only_of_several_organizations)
    )
