"""What Anthropic's admin API tells usage apart by, in its words: its groups, and the filters that name their parts.

What is not known here (Slack, managed agents, products) can be grouped by, as one group without a name; a filter by it is
refused, because nothing would be right to answer.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from metering import price_words, service_tiers
from metering.measures import ServiceTier
from metering.price_words import NOT_SAID, Dimension
from metering.usage import groupings
from metering.usage.groupings import Grouping
from metering.usage.queries import SkuFilter

BATCH: Final = -1
"""The part of everything that was asked for in batches, which is a service tier in the vendor's words."""
LONG_CONTEXT: Final = 199_999
"""The context band (`measures.CONTEXT_BANDS`) from which on a request's input is long."""
STANDARD: Final = "standard"
NO_GEO: Final = ("global", "not_available")
"""Not told apart here: neither is stored."""

TIER: Final = Grouping(
    word="vendor_tier", label="Service tier", column=f"CASE WHEN sku.batch THEN {BATCH} ELSE sku.service_tier END"
)
CONTEXT: Final = Grouping(
    word="context_window", label="Context window", column=f"(sku.context_band >= {LONG_CONTEXT})::int"
)
SPEED: Final = Grouping(word="speed", label="Speed", column="sku.speed")
GEO: Final = Grouping(word="inference_geo", label="Region", column="sku.region")
CONTEXTS: Final = ("0-200k", "200k-1M")
KNOWN: Final = {
    "actor": groupings.USER,
    "account_id": groupings.USER,
    "api_key_id": groupings.API_KEY,
    "context_window": CONTEXT,
    "inference_geo": GEO,
    "model": groupings.MODEL,
    "organization_id": groupings.ORGANIZATION,
    "service_tier": TIER,
    "speed": SPEED,
    "workspace_id": groupings.PROJECT,
}
"""The groups that usage is told apart by."""
ACTOR_TYPE: Final = "actor_type"
USER_ACTOR: Final = "user_actor"
"""All usage here is somebody's: the only kind of actor."""
NOT_KNOWN: Final = (
    "agent_id",
    "claude_tag_category",
    "claude_tag_user_id",
    "deployment_id",
    "environment_id",
    "product",
    "rbac_group_id",
    "session_id",
    "slack_channel_id",
    "user_profile_id",
)
OF_SKUS: Final = {
    "service_tiers": TIER,
    "context_windows": CONTEXT,
    "context_window": CONTEXT,
    "speeds": SPEED,
    "inference_geos": GEO,
}
"""The filters whose values are words, and the group of which they name parts."""


@dataclass(frozen=True)
class Words:
    """The words of the groups that have neither ids nor names elsewhere, by number."""

    known: Mapping[Grouping, Mapping[int, str]]

    def of(self, group: Grouping, number: int) -> str | None:
        """None for a region that nothing was said of."""
        return self.known[group].get(number)

    def parts_of(self, group: Grouping, wanted: Collection[str]) -> tuple[int, ...]:
        """The parts that have these words; a word that nothing has is none."""
        parts = {number for number, word in self.known[group].items() if word in wanted}
        if group == GEO and set(NO_GEO) & set(wanted):
            parts.add(NOT_SAID)
        return tuple(sorted(parts))


def words_of(groups: Collection[Grouping]) -> Words:
    """One query for each of these groups whose words are of providers."""
    known: dict[Grouping, Mapping[int, str]] = {CONTEXT: dict(enumerate(CONTEXTS))}
    if TIER in groups:
        known[TIER] = {**service_tiers.names(), ServiceTier.DEFAULT.value: STANDARD, BATCH: "batch"}
    if SPEED in groups:
        known[SPEED] = {**price_words.names(Dimension.SPEED), NOT_SAID: STANDARD}
    if GEO in groups:
        known[GEO] = price_words.names(Dimension.REGION)
    return Words(known)


def sku_filters(filters: Mapping[str, Collection[str]]) -> tuple[SkuFilter, ...]:
    """The filters of a request that are about what was asked of a model."""
    asked = {OF_SKUS[name]: values for name, values in filters.items() if name in OF_SKUS}
    words = words_of(asked)
    return tuple(SkuFilter(group, words.parts_of(group, values)) for group, values in asked.items())
