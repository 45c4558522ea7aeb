"""Our price book against the calculation of the package that it is made from, `genai-prices`.

The package prices one request at a moment; the book prices sums of a UTC day. For the same requests both must come to
the same money, to the last digit, at every date, for long contexts, cached tokens, batches and service tiers too. One
difference is meant and tested below: prices that depend on the time of day.
"""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot

from billing.models import DailyCost, LineItem, Price, PriceSource
from billing.prices import book, rating
from metering.intake.skus import context_band
from metering.measures import CONTEXT_BANDS, MEASURES, ServiceTier, UsageType
from metering.models import Model, OrganizationDailyUsage, Sku
from metering.rollups.touched import touch

pytestmark = pytest.mark.django_db
DAYS = (date(2024, 7, 1), date(2025, 9, 1), date(2026, 11, 1))
MODELS = [
    # OpenAI
    "gpt-4o",
    "gpt-4o-2024-08-06",
    "gpt-4o-mini",
    "gpt-4.1",
    "gpt-3.5-turbo",
    "gpt-5",
    "gpt-5.4",
    "gpt-5.6-sol",
    "o1",
    "o3",
    # Anthropic
    "claude-3-5-sonnet-latest",
    "claude-3-haiku-20240307",
    "claude-sonnet-4-5",
    "claude-sonnet-4-6",
    "claude-opus-4-6",
    "claude-opus-4-1",
    # Google
    "gemini-1.5-pro",
    "gemini-2.0-flash",
    "gemini-2.5-pro",
    "gemini-3-pro-preview",
    "gemini-3-flash-preview",
    # Mistral
    "mistral-large-latest",
    "mistral-medium-latest",
    "mistral-small-latest",
    # xAI
    "grok-3",
    "grok-4.20",
    "grok-4.3",
]
# (input, of it cached, of it written to the cache, output) tokens of one request: plain, cached, and around the sizes
# at which prices change.
SAMPLES = [
    (0, 0, 0, 0),
    (1, 0, 0, 1),
    (1_000, 0, 0, 200),
    (1_000, 1_000, 0, 200),
    (12_345, 2_345, 0, 6_789),
    (12_345, 2_345, 5_000, 6_789),
    *((size + over, 1_000, 0, 777) for size in CONTEXT_BANDS for over in (0, 1)),
    (900_000, 300_000, 100_000, 64_000),
]


def usage_row(
    model: Model, day: date, number: int, sample: tuple[int, int, int, int], **dimensions: Any
) -> OrganizationDailyUsage:
    """A day's usage that is the one request of a sample; each sample has an organization of its own."""
    whole, cached, written, output = sample
    sku, _ = Sku.objects.get_or_create(
        model=model,
        usage_type=UsageType.COMPLETIONS,
        context_band=context_band(whole, 1),
        **{"service_tier": ServiceTier.DEFAULT, "batch": False, **dimensions},
    )
    measures = dict.fromkeys(MEASURES, 0) | {
        "num_model_requests": 1,
        "input_tokens": whole,
        "input_cached_tokens": cached,
        "input_cache_write_tokens": written,
        "output_tokens": output,
    }
    return OrganizationDailyUsage(organization_id=number, day=day, sku_id=sku.id, **measures)


def rate(rows: list[OrganizationDailyUsage]) -> None:
    """Store the rows, look up their models, and compute their cost."""
    look_up_all()
    OrganizationDailyUsage.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        rating.rate(cursor, touch(cursor, "metering_organizationdailyusage"))


def look_up_all() -> None:
    """Every model in the book, with what the package lists for it."""
    book.add([(model, book.look_up(model.name)) for model in Model.objects.all()])


def package_cost(
    name: str,
    day: date,
    sample: tuple[int, int, int, int],
    at: time = time(20),
    context: dict[str, str] | None = None,
) -> Decimal:
    whole, cached, written, output = sample
    usage = Usage(input_tokens=whole, cache_read_tokens=cached, cache_write_tokens=written, output_tokens=output)
    moment = datetime.combine(day, at, UTC)
    return calc_price(usage, name, genai_request_timestamp=moment, price_context=context).total_price


@pytest.mark.parametrize("name", MODELS)
def test_the_book_comes_to_the_same_money_as_the_package(name: str) -> None:
    model = Model.objects.create(name=name)
    rate([usage_row(model, day, number, sample) for day in DAYS for number, sample in enumerate(SAMPLES, start=1)])
    costs = dict.fromkeys([(number, day) for day in DAYS for number in range(1, len(SAMPLES) + 1)], Decimal(0))
    for cost in DailyCost.objects.all():
        assert cost.amount is not None, f"{name}: {cost.get_line_item_display()} is unpriced on {cost.day}"
        costs[cost.organization_id, cost.day] += cost.amount
    expected = {(number, day): package_cost(name, day, SAMPLES[number - 1]) for number, day in costs}
    assert costs == expected
    assert max(costs.values()) > 0


@pytest.mark.parametrize(
    ("name", "dollars"),
    [("text-embedding-3-small", "0.02"), ("text-embedding-3-large", "0.13"), ("text-embedding-ada-002", "0.10")],
)
def test_embeddings_are_priced_though_their_names_alone_tell_the_package_no_provider(name: str, dollars: str) -> None:
    model = Model.objects.create(name=name)
    rate([usage_row(model, DAYS[0], 1, (1_000_000, 0, 0, 0))])
    assert DailyCost.objects.get().amount == Decimal(dollars)


@pytest.mark.parametrize("name", ["claude-opus-4-6", "claude-sonnet-4-6"])
def test_a_dearer_long_context_ends_on_the_day_from_which_it_costs_the_same(name: str) -> None:
    model, sample = Model.objects.create(name=name), (250_000, 0, 0, 1_000)
    days = (date(2026, 3, 12), date(2026, 3, 13))
    rate([usage_row(model, day, 1, sample) for day in days])
    costs = [sum(cost.amount or 0 for cost in DailyCost.objects.filter(day=day)) for day in days]
    assert costs == [package_cost(name, day, sample) for day in days]
    assert costs[0] > costs[1]


def test_a_new_price_holds_from_its_day_and_not_before() -> None:
    model, sample = Model.objects.create(name="o3"), (1_000_000, 0, 0, 0)
    days = (date(2025, 6, 9), date(2025, 6, 10))
    rate([usage_row(model, day, 1, sample) for day in days])
    assert [cost.amount for cost in DailyCost.objects.order_by("day")] == [Decimal(10), Decimal(2)]


@pytest.mark.parametrize(
    ("name", "longest", "rest"),
    [
        # The standard price from 00:30 to 16:30, the discount at night.
        ("deepseek-chat", time(4), time(20)),
        ("deepseek-reasoner", time(4), time(20)),
        # The standard price for 17 hours, a surcharge in two spans of 3 and 4 hours.
        ("deepseek-v4-pro", time(20), time(7)),
        ("deepseek-flash", time(20), time(2)),
    ],
)
def test_of_prices_by_the_time_of_day_the_one_that_holds_longest_counts_all_day(
    name: str, longest: time, rest: time
) -> None:
    """The difference that is meant: what deepseek charges by the hour cannot be told from a day's sum."""
    model, sample = Model.objects.create(name=name), (1_000_000, 0, 0, 1_000)
    rate([usage_row(model, DAYS[2], 1, sample)])
    cost = sum(cost.amount or 0 for cost in DailyCost.objects.all())
    assert cost == package_cost(model.name, DAYS[2], sample, at=longest)
    assert cost != package_cost(model.name, DAYS[2], sample, at=rest)


@pytest.mark.parametrize(
    "name", ["gpt-5.4", "o3", "claude-sonnet-4-5", "claude-opus-4-8", "gemini-2.5-pro", "grok-4.3"]
)
@pytest.mark.parametrize(
    ("context", "dimensions"),
    [
        ({"processing": "batch"}, {"batch": True}),
        ({"service_tier": "flex"}, {"service_tier": ServiceTier.FLEX}),
        ({"service_tier": "priority"}, {"service_tier": ServiceTier.PRIORITY}),
    ],
)
def test_batches_and_service_tiers_come_to_the_same_money_as_the_package(
    name: str, context: dict[str, str], dimensions: dict[str, Any]
) -> None:
    model = Model.objects.create(name=name)
    rate(
        [
            usage_row(model, day, number, sample, **dimensions)
            for day in DAYS
            for number, sample in enumerate(SAMPLES, 1)
        ]
    )
    costs = dict.fromkeys([(number, day) for day in DAYS for number in range(1, len(SAMPLES) + 1)], Decimal(0))
    for cost in DailyCost.objects.all():
        costs[cost.organization_id, cost.day] += cost.amount or 0
    assert costs == {
        (number, day): package_cost(name, day, SAMPLES[number - 1], context=context) for number, day in costs
    }


def test_a_batch_costs_half_from_the_day_on_which_the_package_lists_it() -> None:
    model, sample = Model.objects.create(name="claude-sonnet-4-6"), (1_000_000, 0, 0, 0)
    rate([usage_row(model, date(2026, 10, day), 1, sample, batch=True) for day in (13, 14)])
    assert [cost.amount for cost in DailyCost.objects.order_by("day")] == [Decimal(3), Decimal("1.5")]


def test_what_a_person_priced_for_every_request_is_not_undercut_by_the_packages_batches() -> None:
    model = Model.objects.create(name="gpt-4o")
    Price.objects.create(
        model=model, line_item=LineItem.INPUT, effective_date=book.FIRST_DATE, unit_price=7, source="agreed"
    )
    rate([usage_row(model, DAYS[2], 1, (10, 0, 0, 10), batch=True)])
    costs = dict(DailyCost.objects.values_list("line_item", "amount"))
    assert costs[LineItem.INPUT] == 70
    assert costs[LineItem.OUTPUT] == Decimal("0.00005")


def test_an_unknown_model_is_looked_up_once_and_has_no_price() -> None:
    model = Model.objects.create(name="nobody-knows")
    for _ in range(2):
        look_up_all()
    source = PriceSource.objects.get(model=model)
    assert (source.provider, source.provider_model) == ("", "")
    assert source.release.startswith("genai-prices ")
    assert not Price.objects.exists()


def test_prices_that_people_have_set_stay_when_the_defaults_are_added() -> None:
    model = Model.objects.create(name="gpt-4o")
    own = Price.objects.create(
        model=model,
        line_item=LineItem.INPUT,
        effective_date=book.FIRST_DATE,
        unit_price=Decimal("0.000009"),
        source="agreed",
    )
    look_up_all()
    inputs = Price.objects.filter(model=model, line_item=LineItem.INPUT, service_tier=None, batch=None)
    assert [(price.pk, price.unit_price) for price in inputs] == [(own.pk, Decimal("0.000009"))]
    assert Price.objects.filter(model=model, line_item=LineItem.OUTPUT).exists()


def test_every_long_context_threshold_of_the_package_is_one_that_events_are_told_apart_by() -> None:
    for provider in get_snapshot().providers:
        for model in provider.models:
            book.default_prices(model)  # raises ValueError for a threshold that CONTEXT_BANDS lacks
