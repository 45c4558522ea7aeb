"""The ways to tell usage apart: everything that is particular to one of them stands in its row of this table."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

UNTRACKED: Final = 0


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


@dataclass(frozen=True, eq=False, kw_only=True)
class Grouping:
    """One way to tell usage apart, and how its parts are named, found and listed.

    `word` stands for it in addresses, `label` on pages. `column` tells rows of usage apart, of which those of `grain` are the
    coarsest that know it; None is told apart by what is charged, which usage rows do not know. `names` is a query of (id,
    name, value in addresses, detail, place) of the ids in the parameter that is called like the word; `words` one of (id,
    what a search looks into, which is nothing that the list does not show) of all that exist. Without them names come from
    elsewhere, and there is no list of all parts. `has_untracked`: the part UNTRACKED is the usage that no row names a key
    of. `num_colors`: how many colours its parts have by their places.
    """

    word: str
    label: str
    column: str | None = field(repr=False)
    grain: Grain = field(default=Grain.ORGANIZATION, repr=False)
    names: str = field(default="", repr=False)
    words: str = field(default="", repr=False)
    views: frozenset[View] = field(default=frozenset(View), repr=False)
    only_of_several_organizations: bool = field(default=False, repr=False)
    has_untracked: bool = field(default=False, repr=False)
    num_colors: int = field(default=8, repr=False)

    @property
    def has_list(self) -> bool:
        return bool(self.words)

    @property
    def has_many_parts(self) -> bool:
        """Whether there may be thousands of parts, users or keys."""
        return self.grain in (Grain.USER, Grain.KEY)

    def is_untracked(self, part: int) -> bool:
        return self.has_untracked and part == UNTRACKED


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
LINE_ITEM: Final = Grouping(word="line_item", label="Line item", column=None, views=frozenset({View.COST}))

GROUPINGS: Final = {
    grouping.word: grouping for grouping in (MODEL, USER, API_KEY, ORGANIZATION, USAGE_TYPE, SERVICE_TIER, LINE_ITEM)
}
DEFAULT: Final = MODEL


def groupings_of(view: View, *, num_organizations: int) -> tuple[Grouping, ...]:
    """Those that a view can draw, in the order of its menu."""
    return tuple(
        grouping
        for grouping in GROUPINGS.values()
        if view in grouping.views and (num_organizations > 1 or not grouping.only_of_several_organizations)
    )
