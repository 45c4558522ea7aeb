"""Where there are more users or keys than a chart shows, the leading ones and Other are exact, whatever is filtered."""

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from accounts.periods import month_of, one_day
from billing.cost import queries as costs
from billing.models import DailyCost, LineItem
from metering.models import DailyUsage, HourlyUsage, Model, Sku
from metering.usage.groupings import API_KEY, MODEL, UNTRACKED, USER
from metering.usage.queries import SHOWN_PARTS, Step, UsageQuery
from metering.usage.sums import activity_of
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.world import World, make_user

NUM_USERS = 10
NUM_EVENTS = 300
UNTRACKED_SINCE = datetime(2023, 6, 1, tzinfo=UTC)
GROUPS = (USER, API_KEY, MODEL)
Row = HourlyUsage | DailyUsage
Sums = dict[tuple[date | None, int | None], Decimal]


@pytest.fixture
def crowd(world: World) -> World:
    """Usage of yesterday: ten users with two keys each, one of them untracked, in many hours and two models."""
    rng = random.Random(11)
    people = [
        make_user(f"u{n}@acme.test", name=f"User {n}", role="reader", organization=world.acme) for n in range(NUM_USERS)
    ]
    keys = [make_key(user, created_at=since) for user in people for since in (UNTRACKED_SINCE, days_ago(400))]
    events = [
        make_event(
            id=f"event-{n}",
            api_key_id=rng.choice(keys).public_id,
            timestamp=days_ago(1, hour=rng.uniform(0, 23.9)),
            model=rng.choice(["gpt-4o", "gpt-4o-mini", "nobody-knows"]),
            input_tokens=rng.randrange(10**6),
            output_tokens=rng.randrange(10**5),
        )
        for n in range(NUM_EVENTS)
    ]
    assert set(send(events, make_token())) == {"accepted"}
    roll_up()
    return world


def queries(world: World) -> Iterable[UsageQuery]:
    """Every grouping of the month and of the day, under each kind of filter."""
    day = days_ago(1).date()
    users = sorted(DailyUsage.objects.values_list("user_id", flat=True).distinct())
    keys = sorted(DailyUsage.objects.exclude(api_key_id=UNTRACKED).values_list("api_key_id", flat=True).distinct())
    filters: list[dict[str, Any]] = [
        {},
        {"user_ids": tuple(users[:1])},
        {"user_ids": tuple(users[:9]), "api_key_ids": (UNTRACKED,)},
        {"api_key_ids": (UNTRACKED,)},
        {"api_key_ids": tuple(keys[:9])},
        {"api_key_ids": (UNTRACKED, *keys[:2])},
        {"model_ids": (Model.objects.get(name="gpt-4o").pk,)},
    ]
    for group in GROUPS:
        for narrowed in filters:
            yield UsageQuery((world.acme.pk,), month_of(day), group=group, **narrowed)
            yield UsageQuery((world.acme.pk,), one_day(day), group=group, step=Step.HOUR, **narrowed)


def rows_of(query: UsageQuery) -> list[Row]:
    """The usage of each key that the query means, told apart by Python."""
    rows: Iterable[Row] = DailyUsage.objects.all() if query.step == Step.DAY else HourlyUsage.objects.all()
    models = dict(Sku.objects.values_list("id", "model_id"))
    return [
        row
        for row in rows
        if row.organization_id in query.organization_ids
        and (not query.user_ids or row.user_id in query.user_ids)
        and (not query.api_key_ids or row.api_key_id in query.api_key_ids)
        and (not query.model_ids or models[row.sku_id] in query.model_ids)
    ]


def sums_of(query: UsageQuery, amounts: dict[int, dict[str, Decimal]]) -> Sums:
    """(bar, part) → the sum of measure × factor of its SKU."""
    models = dict(Sku.objects.values_list("id", "model_id"))
    sums: Sums = defaultdict(Decimal)
    for row in rows_of(query):
        part = {USER: row.user_id, API_KEY: row.api_key_id}.get(query.group, models[row.sku_id])
        slot = row.hour if isinstance(row, HourlyUsage) else row.day
        for measure, factor in amounts[row.sku_id].items():
            sums[slot, part] += getattr(row, measure) * factor
    return sums


def by_part(sums: Sums) -> list[int | None]:
    """The parts, the largest first."""
    totals: dict[int | None, Decimal] = defaultdict(Decimal)
    for (_, part), amount in sums.items():
        totals[part] += amount
    return sorted((part for part in totals if totals[part]), key=lambda part: (-totals[part], part))


def shown(sums: Sums, leaders: list[int | None]) -> Sums:
    """The bars as a chart has them: those of the leaders, and the rest without a part; nothing where there is nothing."""
    bars: Sums = defaultdict(Decimal)
    for (slot, part), amount in sums.items():
        bars[slot, part if part in leaders else None] += amount
    return {bar: amount for bar, amount in bars.items() if amount}


def test_activity(crowd: World) -> None:
    one = {sku: {"num_model_requests": Decimal(1)} for sku in Sku.objects.values_list("id", flat=True)}
    for query in queries(crowd):
        expected = sums_of(query, one)
        found = activity_of(query)
        leaders = {row.part for row in found.rows if row.part is not None}
        assert leaders >= set(by_part(expected)[:SHOWN_PARTS]), query
        bars = {(row.slot, row.part): row.quantities["requests"] for row in found.rows if row.quantities["requests"]}
        assert bars == shown(expected, list(leaders)), query
        assert found.num_parts["requests"] == len(by_part(expected)), query


def test_cost(crowd: World) -> None:
    measures = {LineItem.INPUT: "input_tokens", LineItem.OUTPUT: "output_tokens"}
    prices: dict[int, dict[str, Decimal]] = {sku: {} for sku in Sku.objects.values_list("id", flat=True)}
    for cost in DailyCost.objects.exclude(unit_price=None):
        prices[cost.sku_id][measures[LineItem(cost.line_item)]] = cost.unit_price or Decimal(0)
    for query in queries(crowd):
        expected = sums_of(query, prices)
        found = costs.spending(query)
        order = by_part(expected)
        bars = {(row.slot, row.part): row.amount for row in found.slots if row.amount}
        assert bars == shown(expected, order[:SHOWN_PARTS] if found.num_parts > SHOWN_PARTS else order), query
        amounts: dict[int | None, Decimal] = defaultdict(Decimal)
        for row in found.parts:
            amounts[row.part] += row.amount
        assert [part for part, amount in sorted(amounts.items(), key=lambda item: -item[1]) if amount] == order, query
        assert found.amount == sum(expected.values()), query
