"""Words of sources for tiers and providers."""

import pytest

from metering.intake.sources.names import PROVISIONED, TIER_DROPPED, UNKNOWN_TIER, Tier, provider_of, tier_of


@pytest.mark.parametrize(
    "word", [None, "", "default", "auto", "standard", "on_demand", "ON_DEMAND", "TRAFFIC_TYPE_UNSPECIFIED"]
)
def test_these_words_are_the_default_tier(word: str | None) -> None:
    assert tier_of(word) == Tier(None)


@pytest.mark.parametrize(
    ("word", "tier"),
    [
        ("flex", "flex"),
        ("priority", "priority"),
        ("Priority", "priority"),
        ("fast", "priority"),
        ("scale", "scale"),
        ("ON_DEMAND_FLEX", "flex"),
        ("ON_DEMAND_PRIORITY", "priority"),
    ],
)
def test_these_words_are_tiers_of_ours(word: str, tier: str) -> None:
    assert tier_of(word) == Tier(tier)


def test_batch_is_the_default_tier_of_a_batch() -> None:
    assert tier_of("batch") == Tier(None, batch=True)


def test_provisioned_throughput_is_the_default_tier_and_said() -> None:
    assert tier_of("PROVISIONED_THROUGHPUT") == Tier(None, change=PROVISIONED)


def test_a_new_word_is_kept_and_said() -> None:
    assert tier_of("turbo") == Tier("turbo", change=UNKNOWN_TIER)


@pytest.mark.parametrize("word", ["x" * 41, "tab\ttab", " turbo"], ids=repr)
def test_what_can_be_no_word_costs_the_word_and_not_the_usage(word: str) -> None:
    assert tier_of(word) == Tier(None, change=TIER_DROPPED)


@pytest.mark.parametrize(
    ("word", "provider"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        ("openai.chat", "openai"),
        ("azure.ai.openai", "azure"),
        ("az.ai.inference", "azure"),
        ("azure-openai.chat", "azure"),
        ("aws.bedrock", "aws"),
        ("amazon-bedrock", "aws"),
        ("gcp.gemini", "google"),
        ("google.vertex.chat", "google"),
        ("vertex_ai", "google"),
        ("xai", "x-ai"),
        ("x-ai", "x-ai"),
        ("mistral_ai", "mistral"),
        ("Together AI", "together"),
        ("our-own-cluster", "our-own-cluster"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_provider_is_known_by_all_its_names(word: str | None, provider: str) -> None:
    assert provider_of(word) == provider
