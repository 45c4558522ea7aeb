"""Words of sources for service tiers and providers, as events say them."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from metering.dictionaries.providers import PROVIDERS
from metering.intake.checks import is_word
from metering.measures import BATCH_TIER, SERVICE_TIERS

UNKNOWN_TIER: Final = "unknown_tier"
TIER_DROPPED: Final = "tier_dropped"
PROVISIONED: Final = "provisioned_throughput"
TIERS: Final = {
    **{word: tier.label for word, tier in SERVICE_TIERS.items()},
    "": "default",
    # Gemini's `trafficType`
    "traffic_type_unspecified": "default",
    "on_demand_flex": "flex",
    "on_demand_priority": "priority",
}
MAX_LENGTH: Final = 64
"""Words that are longer are no names of anything."""
PROVISIONED_PREFIX: Final = "provisioned_throughput"

_SEPARATORS: Final = str.maketrans(".-/ ", "____")


@dataclass(frozen=True, slots=True)
class Tier:
    """How a request was processed; `change` names what became of a word that is not one of ours."""

    service_tier: str | None
    batch: bool = False
    change: str | None = None


DEFAULT: Final = Tier(None)
_known: Final = {word: DEFAULT if tier == "default" else Tier(tier) for word, tier in TIERS.items()}


def tier_of(word: str | None) -> Tier:
    """The tier that a source's word means. A word that we do not know is kept; one that cannot be one, is the default."""
    if not word:
        return DEFAULT
    lower = word.lower()
    if known := _known.get(lower):
        return known
    if lower == BATCH_TIER:
        return Tier(None, batch=True)
    if lower.startswith(PROVISIONED_PREFIX):
        return Tier(None, change=PROVISIONED)
    return Tier(word, change=UNKNOWN_TIER) if is_word(word) else Tier(None, change=TIER_DROPPED)


def provider_of(word: str | None) -> str:
    """The provider by the id of the price list; another one's name in lower case; empty for none.

    Behind a dot some senders name the API as well: `openai.chat`, `google.generative-ai`.
    """
    return _provider_of(word) if word and len(word) <= MAX_LENGTH else ""


@lru_cache(maxsize=256)
def _provider_of(word: str) -> str:
    lower = word.strip().lower()
    if known := PROVIDERS.get(lower.translate(_SEPARATORS)):
        return known
    head = lower.partition(".")[0]
    return PROVIDERS.get(head.translate(_SEPARATORS), head)
