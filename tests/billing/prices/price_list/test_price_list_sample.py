"""A seeded sample of (model, mix, tier) of the whole default list: our book comes to the same money as the package.

Every entry is asked for by its id and seller. Where the two differ, `reason_to_differ` must say why. `PRICE_SAMPLE=10000` takes
more of them.
"""

import os
import random
from collections import Counter
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

import pytest
from django.db import connection
from genai_prices import Usage
from genai_prices.types import ModelInfo, Provider, TimeOfDateConstraint

from billing.models import DailyCost
from billing.prices import book, price_list, rating
from metering.intake.skus import context_band
from metering.measures import MEASURES, ServiceTier, UsageType
from metering.models import Model, OrganizationDailyUsage, Sku
from metering.rollups.touched import touch

pytestmark = pytest.mark.django_db
DAY: Final = date(2026, 11, 20)
SIZE: Final = int(os.environ.get("PRICE_SAMPLE", "500"))
ROUNDED: Final = Decimal("5e-13")
"""What the price of a unit is off at most, which has 12 digits after the point; $0.0833… for a million has more."""

# name of the mix → its measures, in ours
MIXES: Final[dict[str, dict[str, int]]] = {
    "plain": {"input_tokens": 1_000, "output_tokens": 200},
    "cached": {"input_tokens": 12_345, "input_cached_tokens": 2_345, "output_tokens": 678},
    "written": {
        "input_tokens": 12_345,
        "input_cached_tokens": 345,
        "input_cache_write_tokens": 5_000,
        "output_tokens": 67,
    },
    "long": {"input_tokens": 300_000, "input_cached_tokens": 100_000, "output_tokens": 5_000},
    "audio": {"input_tokens": 5_000, "input_audio_tokens": 4_000, "output_tokens": 900, "output_audio_tokens": 700},
}
TIERS: Final[dict[str, tuple[dict[str, Any], dict[str, str]]]] = {
    "default": ({}, {}),
    "batch": ({"batch": True}, {"processing": "batch"}),
    "flex": ({"service_tier": ServiceTier.FLEX}, {"service_tier": "flex"}),
    "priority": ({"service_tier": ServiceTier.PRIORITY}, {"service_tier": "priority"}),
}
Pair = tuple[Provider, ModelInfo, str, str]


def reason_to_differ(provider: Provider, model: ModelInfo, mix: str) -> str:
    """Why our cost is not the package's; nothing where it must be."""
    prices = book.listing_of((provider, model)).prices
    listed = model.get_prices(datetime.combine(DAY, time(20), UTC)).__dict__
    token_keys = {key for key in listed if key.endswith("_mtok")}
    used = {"input_mtok", "output_mtok"}
    if not prices:
        return "the entry has no price: unpriced, where the package reckons $0"
    if not used <= token_keys and not model.id.endswith(book.FREE):
        return "the entry has no price of a used token: unpriced, where the package reckons $0"
    entries = [*(model.prices if isinstance(model.prices, list) else ()), *(model.price_variants or ())]
    if any(isinstance(entry.constraint, TimeOfDateConstraint) for entry in entries):
        return "prices by the time of day: the longest counts all day"
    return ""


def package_cost(pair: Pair) -> Decimal:
    provider, model, mix, tier = pair
    measures = MIXES[mix]
    names = {
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
        "input_cached_tokens": "cache_read_tokens",
        "input_cache_write_tokens": "cache_write_tokens",
        "input_audio_tokens": "input_audio_tokens",
        "output_audio_tokens": "output_audio_tokens",
    }
    usage = Usage(**{names[name]: value for name, value in measures.items()})
    moment = datetime.combine(DAY, time(20), UTC)
    return model.calc_price(usage, provider, genai_request_timestamp=moment, price_context=TIERS[tier][1]).total_price


def our_costs(pairs: list[Pair]) -> dict[int, Decimal | None]:
    """Place of a pair → its cost by our book, through the rating; None if a part has no price."""
    models: dict[int, Model] = {}
    found, rows = [], []
    for number, (provider, entry, mix, tier) in enumerate(pairs):
        if id(entry) not in models:
            models[id(entry)] = Model.objects.create(name=f"{provider.id} {entry.id}"[:120] + f" {len(models)}")
            found.append((models[id(entry)], book.look_up(entry.id, provider.id)))
        measures = MIXES[mix]
        dimensions = {"service_tier": ServiceTier.DEFAULT, "batch": False, **TIERS[tier][0]}
        sku, _ = Sku.objects.get_or_create(
            model=models[id(entry)],
            usage_type=UsageType.COMPLETIONS,
            context_band=context_band(measures["input_tokens"], 1),
            **dimensions,
        )
        amounts = dict.fromkeys(MEASURES, 0) | measures | {"num_model_requests": 1}
        rows.append(OrganizationDailyUsage(organization_id=number + 1, day=DAY, sku_id=sku.id, **amounts))
    book.add(found)
    OrganizationDailyUsage.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        rating.rate(cursor, touch(cursor, "metering_organizationdailyusage"))
    costs: dict[int, Decimal | None] = dict.fromkeys(range(len(pairs)), Decimal(0))
    for cost in DailyCost.objects.all():
        known = costs[cost.organization_id - 1]
        costs[cost.organization_id - 1] = None if known is None or cost.amount is None else known + cost.amount
    return costs


def test_a_sample_of_the_whole_list_comes_to_the_packages_money() -> None:
    chance = random.Random(13)
    entries = list(price_list.entries())
    pairs = [(*chance.choice(entries), chance.choice(list(MIXES)), chance.choice(list(TIERS))) for _ in range(SIZE)]
    costs = our_costs(pairs)
    unexplained = []
    explained: Counter[str] = Counter()
    for number, pair in enumerate(pairs):
        ours, theirs = costs[number], package_cost(pair)
        units = MIXES[pair[2]]["input_tokens"] + MIXES[pair[2]]["output_tokens"]
        if ours is not None and abs(ours - theirs) <= ROUNDED * units:
            continue
        if reason := reason_to_differ(*pair[:3]):
            explained[reason] += 1
        else:
            unexplained.append((pair[0].id, pair[1].id, *pair[2:], ours, theirs))
    assert unexplained == []
    assert sum(explained.values()) < SIZE / 4, explained
