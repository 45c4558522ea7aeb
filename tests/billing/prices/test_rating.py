"""Cost = daily usage × price book: checked by hand, exact to the last digit, and the same whenever it is computed."""

from collections import defaultdict
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from apikeys.models import APIKey
from billing.models import DailyCost, LineItem, Price
from billing.prices import rating
from metering.measures import ALLOWED_MEASURES, MEASURES, PARTS, ServiceTier, UsageType
from metering.models import Model, OrganizationDailyUsage, Sku
from metering.rollups.touched import touch
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.world import World

DAY = date(2026, 11, 10)
ANY_DAY = date(2000, 1, 1)
MOST = 2**63 - 1


def make_model(name: str = "house-model") -> Model:
    return Model.objects.create(name=name)


def add_price(model: Model, dollars: str | None, line_item: LineItem = LineItem.INPUT, **scope: Any) -> Price:
    return Price.objects.create(
        model=model,
        line_item=line_item,
        unit_price=None if dollars is None else Decimal(dollars),
        source="test",
        **{"effective_date": ANY_DAY, **scope},
    )


def add_usage(model: Model, *, day: date = DAY, organization_id: int = 1, **fields: Any) -> Sku:
    """A day's usage of an organization."""
    dimensions: dict[str, Any] = {
        "usage_type": UsageType.COMPLETIONS,
        "service_tier": ServiceTier.DEFAULT,
        "batch": 0,
        "context_band": 0,
    }
    dimensions = {name: fields.pop(name, value) for name, value in dimensions.items()}
    sku, _ = Sku.objects.get_or_create(model=model, **dimensions)
    OrganizationDailyUsage.objects.create(
        organization_id=organization_id, day=day, sku_id=sku.id, **{**dict.fromkeys(MEASURES, 0), **fields}
    )
    return sku


def rate_all() -> None:
    """Compute every cost again by the book as it is now."""
    with connection.cursor() as cursor:
        rating.rate(cursor, touch(cursor, "metering_organizationdailyusage"))


def costs(**where: Any) -> dict[LineItem, Decimal | None]:
    """Line item → amount."""
    return {LineItem(cost.line_item): cost.amount for cost in DailyCost.objects.filter(**where)}


# By hand


def test_gpt_4o_with_cached_tokens_by_hand(world: World) -> None:
    key, token = make_key(world.rita), make_token()
    tokens = {"input_tokens": 1_000_000, "input_cached_tokens": 400_000, "output_tokens": 100_000}
    assert send(make_event(api_key_id=key.public_id, model="gpt-4o", **tokens), token) == ["accepted"]
    roll_up()
    # $2.50, $1.25 and $10 for a million: 600,000 × 2.50 + 400,000 × 1.25 + 100,000 × 10
    assert costs() == {
        LineItem.INPUT: Decimal("1.5"),
        LineItem.CACHED_INPUT: Decimal("0.5"),
        LineItem.OUTPUT: Decimal(1),
    }


def test_every_part_at_its_own_price_by_hand(db: None) -> None:
    model = make_model()
    prices = {
        "INPUT": "1",
        "CACHED_INPUT": "10",
        "CACHE_WRITE": "100",
        "AUDIO_INPUT": "1000",
        "OUTPUT": "3",
        "AUDIO_OUTPUT": "30",
    }
    for name, dollars in prices.items():
        add_price(model, dollars, LineItem[name])
    add_usage(
        model,
        input_tokens=10,
        input_cached_tokens=2,
        input_cache_write_tokens=3,
        input_audio_tokens=4,
        output_tokens=7,
        output_audio_tokens=5,
    )
    rate_all()
    amounts = {item.name: amount for item, amount in costs().items()}
    assert amounts == {
        "INPUT": 1,  # 10 − 2 − 3 − 4
        "CACHED_INPUT": 20,
        "CACHE_WRITE": 300,
        "AUDIO_INPUT": 4000,
        "OUTPUT": 6,  # 7 − 5
        "AUDIO_OUTPUT": 150,
    }


def test_money_is_exact_where_floats_are_not(db: None) -> None:
    model = make_model()
    add_price(model, "0.000000000001")
    add_price(model, "0.0000024501", LineItem.OUTPUT)
    add_usage(model, input_tokens=2 * MOST + 1, output_tokens=1_500)
    rate_all()
    assert costs() == {
        LineItem.INPUT: Decimal("18446744.073709551615"),
        LineItem.OUTPUT: Decimal("0.00367515"),
    }


def test_many_small_events_cost_what_one_large_one_costs(world: World) -> None:
    key, token = make_key(world.rita), make_token()
    small = [make_event(id=f"s-{n}", api_key_id=key.public_id, model="gpt-4o-mini", input_tokens=1) for n in range(999)]
    send(small, token)
    roll_up()
    (total,) = DailyCost.objects.filter(line_item=LineItem.INPUT).values_list("amount", flat=True)
    assert total == 999 * Decimal("0.00000015")


# Which price


def test_a_price_changes_in_the_middle_of_a_month_on_its_utc_day(db: None) -> None:
    model = make_model()
    add_price(model, "2")
    add_price(model, "3", effective_date=date(2026, 11, 15))
    add_price(model, "99", effective_date=date(2026, 12, 1))
    for day in (1, 14, 15, 30):
        add_usage(model, day=date(2026, 11, day), input_tokens=10)
    rate_all()
    assert [costs(day=date(2026, 11, day))[LineItem.INPUT] for day in (1, 14, 15, 30)] == [20, 20, 30, 30]


def test_a_day_of_use_is_a_utc_day_whatever_zone_the_event_names(world: World) -> None:
    key, token = make_key(world.rita), make_token()
    model = make_model()
    day = days_ago(5).date()
    add_price(model, "2")
    add_price(model, "3", effective_date=day)
    midnight = datetime.combine(day, time.min, UTC)
    # 00:30 at +09:00 is still the day before in UTC
    stamps = [f"{midnight:%Y-%m-%d}T00:30:00+09:00", f"{midnight:%Y-%m-%d}T00:30:00Z"]
    events = [
        make_event(api_key_id=key.public_id, model=model.name, timestamp=stamp, input_tokens=1, output_tokens=None)
        for stamp in stamps
    ]
    assert send(events, token) == ["accepted", "accepted"]
    roll_up()
    assert list(DailyCost.objects.order_by("day").values_list("amount", flat=True)) == [2, 3]


def test_a_negotiated_price_comes_before_any_general_one(world: World) -> None:
    model = make_model()
    add_price(model, "5")
    add_price(model, "4", usage_type=UsageType.COMPLETIONS, service_tier=ServiceTier.DEFAULT, batch=False)
    add_price(model, "3", organization=world.acme)
    for organization in (world.acme, world.other):
        add_usage(model, organization_id=organization.id, input_tokens=1)
    rate_all()
    assert costs(organization_id=world.acme.id) == {LineItem.INPUT: 3}
    assert costs(organization_id=world.other.id) == {LineItem.INPUT: 4}


def test_a_negotiated_price_holds_from_its_day_until_it_ends(world: World) -> None:
    model = make_model()
    add_price(model, "5")
    add_price(model, "3", organization=world.acme, effective_date=date(2026, 11, 5))
    add_price(model, None, organization=world.acme, effective_date=date(2026, 11, 20))
    for day in (4, 5, 19, 20):
        add_usage(model, day=date(2026, 11, day), organization_id=world.acme.id, input_tokens=1)
    rate_all()
    assert [costs(day=date(2026, 11, day))[LineItem.INPUT] for day in (4, 5, 19, 20)] == [5, 3, 3, 5]


@pytest.mark.parametrize(
    ("fields", "dollars"),
    [
        ({}, 1),
        ({"service_tier": ServiceTier.FLEX}, 2),
        ({"batch": 1}, 3),
        ({"service_tier": ServiceTier.FLEX, "batch": 1}, 2),  # tier before batch
        ({"usage_type": UsageType.EMBEDDINGS}, 4),
        ({"usage_type": UsageType.EMBEDDINGS, "service_tier": ServiceTier.FLEX, "batch": 1}, 4),  # usage type first
        ({"context_band": 128_000}, 1),  # no threshold below it is priced
        ({"context_band": 200_000}, 5),
        ({"context_band": 272_000}, 5),  # the highest one reached
        ({"context_band": 512_000}, 6),
        ({"context_band": 512_000, "service_tier": ServiceTier.FLEX}, 2),
    ],
    ids=repr,
)
def test_the_most_specific_price_wins(db: None, fields: dict[str, Any], dollars: int) -> None:
    model = make_model()
    add_price(model, "1")
    add_price(model, "2", service_tier=ServiceTier.FLEX)
    add_price(model, "3", batch=True)
    add_price(model, "4", usage_type=UsageType.EMBEDDINGS)
    add_price(model, "5", context_band=200_000)
    add_price(model, "6", context_band=512_000)
    add_usage(model, input_tokens=1, **fields)
    rate_all()
    assert costs() == {LineItem.INPUT: dollars}


# Unpriced


def test_a_model_without_a_price_is_unpriced_in_sight_and_priced_later(world: World) -> None:
    key, token = make_key(world.rita), make_token()
    send(make_event(api_key_id=key.public_id, model="nobody-knows", input_tokens=100, output_tokens=20), token)
    roll_up()
    assert costs() == {LineItem.INPUT: None, LineItem.OUTPUT: None}
    assert dict(DailyCost.objects.values_list("line_item", "quantity")) == {LineItem.INPUT: 100, LineItem.OUTPUT: 20}
    add_price(Model.objects.get(name="nobody-knows"), "0.5")
    rate_all()
    assert costs() == {LineItem.INPUT: 50, LineItem.OUTPUT: None}


def test_an_ended_price_makes_usage_unpriced_from_its_day(db: None) -> None:
    model = make_model()
    add_price(model, "5")
    add_price(model, None, effective_date=date(2026, 11, 10))
    add_price(model, "7", effective_date=date(2026, 11, 20))
    for day in (9, 10, 19, 20):
        add_usage(model, day=date(2026, 11, day), input_tokens=1)
    rate_all()
    assert [costs(day=date(2026, 11, day))[LineItem.INPUT] for day in (9, 10, 19, 20)] == [5, None, None, 7]


def test_usage_before_the_first_price_is_unpriced(db: None) -> None:
    model = make_model()
    add_price(model, "5", effective_date=date(2026, 11, 11))
    add_usage(model, day=date(2026, 11, 10), input_tokens=1)
    rate_all()
    assert costs() == {LineItem.INPUT: None}


def test_a_price_of_zero_is_a_price(db: None) -> None:
    model = make_model()
    add_price(model, "0")
    add_usage(model, input_tokens=1)
    rate_all()
    assert costs() == {LineItem.INPUT: 0}


def test_requests_cost_nothing_extra_unless_someone_priced_them(db: None) -> None:
    model = make_model()
    add_price(model, "1")
    add_usage(model, input_tokens=1, num_model_requests=1)
    rate_all()
    assert costs() == {LineItem.INPUT: 1}
    add_price(model, "0.25", LineItem.REQUEST)
    rate_all()
    assert costs() == {LineItem.INPUT: 1, LineItem.REQUEST: Decimal("0.25")}


def test_rating_again_changes_nothing_and_follows_a_corrected_price(db: None) -> None:
    model = make_model()
    price = add_price(model, "5")
    add_usage(model, input_tokens=3)
    for _ in range(2):
        rate_all()
        assert costs() == {LineItem.INPUT: 15}
    price.unit_price = Decimal(4)
    price.save()
    rate_all()
    assert costs() == {LineItem.INPUT: 12}


# Corrections


def test_a_reversed_event_leaves_no_cost_behind(world: World) -> None:
    key, token = make_key(world.rita), make_token()
    event = make_event(api_key_id=key.public_id, input_tokens=1_000_000, input_cached_tokens=400_000)
    reversal = {**event, "id": "fix", "corrects": "event-1", "num_model_requests": -1}
    reversal |= {"input_tokens": -1_000_000, "input_cached_tokens": -400_000, "output_tokens": -20}
    send(event, token)
    roll_up()
    assert sum(amount or 0 for amount in costs().values()) > 2
    send(reversal, token)
    roll_up()
    assert set(costs().values()) == {0}
    usage = OrganizationDailyUsage.objects.get()
    assert {getattr(usage, measure) for measure in MEASURES} == {0}


# Nothing is forgotten


def test_every_kind_of_usage_is_charged_for_what_it_counts(world: World) -> None:
    token, key = make_token(), make_key(world.rita)
    model = make_model()
    for item in set(LineItem) - {LineItem.REQUEST}:
        add_price(model, "1", item)
    for usage_type in (UsageType.FILE_SEARCH_CALLS, UsageType.WEB_SEARCH_CALLS):
        add_price(model, "1", LineItem.REQUEST, usage_type=usage_type)
    events = [whole_event(usage_type, key, model) for usage_type in UsageType]
    assert send(events, token) == ["accepted"] * len(UsageType)
    roll_up()
    charged: dict[int, Decimal] = defaultdict(Decimal)
    types = dict(Sku.objects.values_list("id", "usage_type"))
    for cost in DailyCost.objects.all():
        assert cost.amount is not None
        charged[types[cost.sku_id]] += cost.amount
    parts = {"num_model_requests", *(part for _, parts in PARTS for part in parts)}
    expected = {
        usage_type: sum(event.get(measure, 0) for measure in MEASURES if measure not in parts)
        for usage_type, event in zip(UsageType, events, strict=True)
    }
    expected |= {UsageType.FILE_SEARCH_CALLS: 9, UsageType.WEB_SEARCH_CALLS: 9}
    assert charged == expected


def whole_event(usage_type: UsageType, key: APIKey, model: Model) -> dict[str, Any]:
    """An event that has every measure that belongs to its usage type."""
    amounts = {measure: 7 * place for place, measure in enumerate(MEASURES)}
    amounts |= {"num_model_requests": 9, "input_tokens": 10_000, "output_tokens": 20_000}
    amounts["input_cache_write_long_tokens"] = 5
    measures: dict[str, int | None] = {"input_tokens": None, "output_tokens": None}
    measures |= {measure: amounts[measure] for measure in ALLOWED_MEASURES[usage_type]}
    return make_event(
        id=usage_type.label, api_key_id=key.public_id, usage_type=usage_type.label, model=model.name, **measures
    )
