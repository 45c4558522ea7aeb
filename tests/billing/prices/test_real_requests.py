"""What providers answer of a request, as the event that docs/events.md asks for: it costs to the digit what the package reckons
from the same answer, which it reads by itself. Where it does not, the test says by how much and why."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from genai_prices.data_snapshot import get_snapshot

from billing.models import DailyCost, Price
from billing.prices import price_list
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.world import World

pytestmark = pytest.mark.django_db
MTOK = Decimal(1_000_000)
Usage = Mapping[str, Any]


def our_cost(world: World, model: str, **fields: object) -> Decimal | None:
    """What the event costs; None if a part has no price."""
    event = {"input_tokens": None, "output_tokens": None, **fields, "model": model}
    assert send(make_event(api_key_id=make_key(world.rita).public_id, **event), make_token()) == ["accepted"]
    roll_up()
    amounts = [cost.amount for cost in DailyCost.objects.all()]
    assert amounts
    return None if None in amounts else sum((amount or Decimal(0) for amount in amounts), start=Decimal(0))


def package_cost(provider: str, flavor: str, answer: dict[str, Any], context: dict[str, str] | None = None) -> Decimal:
    """What the package makes of a provider's answer."""
    found = next(one for one in get_snapshot().providers if one.id == provider)
    _, usage = found.extract_usage(answer, api_flavor=flavor)
    entry = price_list.find_of(str(answer.get("model") or answer["modelVersion"]), provider)
    assert entry is not None
    at: datetime = days_ago(1).astimezone(UTC)
    return entry[1].calc_price(usage, entry[0], genai_request_timestamp=at, price_context=context).total_price


# Anthropic: caches for five minutes and for an hour


def of_anthropic(usage: Usage) -> dict[str, int]:
    written, read = usage["cache_creation_input_tokens"], usage["cache_read_input_tokens"]
    return {
        "input_tokens": usage["input_tokens"] + written + read,
        "input_cached_tokens": read,
        "input_cache_write_tokens": written,
        "input_cache_write_long_tokens": usage["cache_creation"]["ephemeral_1h_input_tokens"],
        "output_tokens": usage["output_tokens"],
        "output_reasoning_tokens": usage.get("output_tokens_details", {}).get("thinking_tokens", 0),
    }


def anthropic(fresh: int, read: int, short: int, long: int, output: int, **more: Any) -> dict[str, Any]:
    return {
        "input_tokens": fresh,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": short + long,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
        "output_tokens": output,
        **more,
    }


@pytest.mark.parametrize(
    ("model", "usage", "speed"),
    [
        ("claude-sonnet-4-5", anthropic(21, 18_086, 2_048, 4_096, 393), ""),
        ("claude-sonnet-4-5-20250929", anthropic(3, 0, 0, 188_086, 512), ""),
        ("claude-sonnet-4-5", anthropic(2_000, 180_000, 10_000, 20_000, 1_337), ""),  # a long context
        ("claude-haiku-4-5", anthropic(407, 1_024, 4_097, 0, 89), ""),
        (
            "claude-opus-4-8",
            anthropic(77, 52_111, 803, 9_001, 2_811, output_tokens_details={"thinking_tokens": 1_900}),
            "fast",
        ),
    ],
)
def test_anthropic_with_both_life_times_of_caches(world: World, model: str, usage: Usage, speed: str) -> None:
    expected = package_cost(
        "anthropic", "default", {"model": model, "usage": usage}, {"speed": speed} if speed else None
    )
    assert our_cost(world, model, speed=speed, **of_anthropic(usage)) == expected


# gpt-image: text and images on both sides


def of_images(usage: Usage) -> dict[str, int]:
    return {
        "input_tokens": usage["input_tokens"],
        "input_image_tokens": usage["input_tokens_details"]["image_tokens"],
        "output_tokens": usage["output_tokens"],
        "output_image_tokens": usage.get("output_tokens_details", {}).get("image_tokens", 0),
    }


def images(text: int, image: int, output: int, **output_details: int) -> dict[str, Any]:
    details = {"output_tokens_details": output_details} if output_details else {}
    return {
        "input_tokens": text + image,
        "input_tokens_details": {"text_tokens": text, "image_tokens": image},
        "output_tokens": output,
        **details,
    }


@pytest.mark.parametrize(
    ("model", "usage"),
    [
        ("gpt-image-1", images(50, 0, 4_160)),
        ("gpt-image-1", images(38, 646, 1_584)),
        ("gpt-image-1-mini", images(12, 323, 272)),
        ("gpt-image-1.5", images(61, 1_120, 4_407, text_tokens=247, image_tokens=4_160)),
        ("gpt-image-1.5", images(61, 1_120, 4_160, text_tokens=0, image_tokens=4_160)),
    ],
)
def test_images_made_of_text_and_of_images(world: World, model: str, usage: Usage) -> None:
    expected = package_cost("openai", "images", {"model": model, "usage": usage})
    assert our_cost(world, model, usage_type="images", images=1, **of_images(usage)) == expected


def test_an_event_of_images_that_does_not_say_which_output_is_images_means_all_of_it(world: World) -> None:
    """The package takes the same for text, $10 for a million instead of $32: it does not know that images were asked for."""
    usage = images(61, 0, 4_160)
    package = package_cost("openai", "images", {"model": "gpt-image-1.5", "usage": usage})
    cost = our_cost(world, "gpt-image-1.5", usage_type="images", images=1, **of_images(usage))
    assert cost == package + 4_160 * (32 - 10) / MTOK


# Gemini: audio, images and thoughts


def tokens_of(details: list[dict[str, Any]], modality: str) -> int:
    return sum(detail["tokenCount"] for detail in details if detail["modality"] == modality)


def of_gemini(usage: Usage) -> dict[str, int]:
    sent, cached = usage["promptTokensDetails"], usage.get("cacheTokensDetails", [])
    made = usage.get("candidatesTokensDetails", [])
    media = {
        f"input_{modality.lower()}_tokens": tokens_of(sent, modality) - tokens_of(cached, modality)
        for modality in ("AUDIO", "IMAGE", "VIDEO")
    }
    return {
        "input_tokens": usage["promptTokenCount"],
        "input_cached_tokens": usage.get("cachedContentTokenCount", 0),
        **media,
        "output_tokens": usage["candidatesTokenCount"] + usage.get("thoughtsTokenCount", 0),
        "output_audio_tokens": tokens_of(made, "AUDIO"),
        "output_image_tokens": tokens_of(made, "IMAGE"),
        "output_reasoning_tokens": usage.get("thoughtsTokenCount", 0),
    }


def details(**counts: int) -> list[dict[str, Any]]:
    return [{"modality": modality.upper(), "tokenCount": count} for modality, count in counts.items()]


def gemini(prompt: dict[str, int], candidates: int, thoughts: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "promptTokenCount": sum(prompt.values()),
        "promptTokensDetails": details(**prompt),
        "candidatesTokenCount": candidates,
        "thoughtsTokenCount": thoughts,
        **more,
    }


CACHED_AUDIO = gemini(
    {"text": 1_000, "audio": 3_000},
    120,
    cachedContentTokenCount=2_500,
    cacheTokensDetails=details(text=500, audio=2_000),
)


@pytest.mark.parametrize(
    ("model", "usage"),
    [
        ("gemini-2.5-flash", gemini({"text": 132, "audio": 4_801}, 310, 1_204)),
        ("gemini-2.5-pro", gemini({"text": 210_017, "audio": 960}, 4_100, 9_318)),  # a long context
        (
            "gemini-2.5-flash",
            gemini(
                {"text": 8_000, "audio": 640},
                55,
                cachedContentTokenCount=6_144,
                cacheTokensDetails=details(text=6_144, audio=0),
            ),
        ),
        (
            "gemini-3.1-flash-live-preview",
            gemini(
                {"text": 75, "audio": 1_475, "video": 5_160, "image": 258},
                700,
                33,
                candidatesTokensDetails=details(text=20, audio=680),
            ),
        ),
        (
            "gemini-3-pro-image-preview",
            gemini({"text": 44, "image": 1_290}, 1_190, 411, candidatesTokensDetails=details(text=70, image=1_120)),
        ),
    ],
)
def test_gemini_with_audio_and_thoughts(world: World, model: str, usage: Usage) -> None:
    expected = package_cost("google", "default", {"modelVersion": model, "usageMetadata": usage})
    assert our_cost(world, model, **of_gemini(usage)) == expected


def test_cached_audio_is_cached_input(world: World) -> None:
    """The package has a price of cached audio, $0.10 for a million, beside $0.03 for what is cached; our parts are disjoint, and
    do not tell what the cached tokens are of."""
    expected = package_cost("google", "default", {"modelVersion": "gemini-2.5-flash", "usageMetadata": CACHED_AUDIO})
    cost = our_cost(world, "gemini-2.5-flash", **of_gemini(CACHED_AUDIO))
    assert cost == expected - 2_000 * (Decimal("0.10") - Decimal("0.03")) / MTOK


# One model at two providers


def chat(prompt: int, output: int, reasoning: int) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


@pytest.mark.parametrize(
    ("provider", "seller", "usage"),
    [
        ("groq", "groq", chat(1_811, 902, 640)),
        ("novita", "novita", chat(1_811, 902, 640)),
        ("together_ai", "together", chat(77, 5_120, 0)),
        ("Groq", "groq", chat(120_311, 55, 12)),
        ("novita", "novita", chat(9, 3, 0)),
    ],
)
def test_one_model_at_several_providers(world: World, provider: str, seller: str, usage: Usage) -> None:
    model = "openai/gpt-oss-120b"
    entry = price_list.find_of(model, seller)
    assert entry is not None
    prices = entry[1].get_prices(days_ago(1), {}).__dict__
    expected = (
        usage["prompt_tokens"] * prices["input_mtok"] + usage["completion_tokens"] * prices["output_mtok"]
    ) / MTOK
    counts = {
        "input_tokens": usage["prompt_tokens"],
        "output_tokens": usage["completion_tokens"],
        "output_reasoning_tokens": usage["completion_tokens_details"]["reasoning_tokens"],
    }
    assert our_cost(world, model, provider=provider, **counts) == expected


def test_usage_of_two_providers_side_by_side_and_of_none(world: World) -> None:
    """A provider that comes later is looked up too, and what is said of none costs what it always did: nothing is known."""
    key, token, model = make_key(world.rita).public_id, make_token(), "openai/gpt-oss-120b"
    for number, provider in enumerate(["groq", "novita", None, "my-gateway"]):
        event = make_event(id=f"x-{number}", api_key_id=key, model=model, provider=provider, input_tokens=1_000_000)
        assert send(event, token) == ["accepted"]
        roll_up()
    found = DailyCost.objects.filter(quantity=1_000_000).order_by("sku_id").values_list("amount", flat=True)
    assert list(found) == [Decimal("0.15"), Decimal("0.05"), None, None]


def test_a_provider_that_the_list_does_not_know_costs_what_the_model_costs(world: World) -> None:
    assert our_cost(world, "gpt-4o", provider="my-gateway", input_tokens=1_000_000) == Decimal("2.5")
    assert not Price.objects.exclude(provider=None).exists()
