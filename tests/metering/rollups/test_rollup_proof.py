"""Every layer of the rollups is proved against the one below it, and a day is computed again from its raw events."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection

from accounts.models import User
from accounts.periods import one_day
from apikeys.models import APIKey
from billing import proof
from billing.prices import new_models, rating
from metering.attribution_models import Attribution, AttributionPart
from metering.rollups.proof import days_with_events
from tests.engine import days_ago, make_event, make_key, make_token, send, total_of
from tests.usage.rollup_proof import drift, everything
from tests.world import World, join

UNTRACKED_SINCE = datetime(2023, 6, 1, tzinfo=UTC)


def fill(world: World) -> tuple[str, APIKey]:
    """A few days of usage of two users, tracked and not, rolled up."""
    join(world.rita, world.labs, role="reader")
    users: list[User] = [world.rita, world.charlie]
    keys = [make_key(user, created_at=since) for user in users for since in (UNTRACKED_SINCE, days_ago(400))]
    token = make_token()
    order = random.Random(7)
    for batch in range(3):
        events = [
            make_event(
                id=f"event-{batch}-{n}",
                api_key_id=order.choice(keys).public_id,
                timestamp=days_ago(order.randint(1, 3), hour=order.uniform(0, 23)),
                model=order.choice(["gpt-4o", "nobody-knows"]),
                input_tokens=order.randint(0, 300_000),
            )
            for n in range(40)
        ]
        assert set(send(events, token)) == {"accepted"}
    for place, parts in enumerate(([0, 7], [0, 8, 5, 21], [5, 21], [5, -1, 6, 22]), start=1):
        attribution = Attribution.objects.create(organization_id=world.acme.pk, parts=parts)
        for attribute_id, value_id in zip(parts[::2], parts[1::2], strict=True):
            AttributionPart.objects.create(attribution_id=attribution.pk, attribute_id=attribute_id, value_id=value_id)
        run(f"UPDATE metering_usageevent SET attribution_id = {attribution.pk} WHERE input_tokens % 5 = {place}")
    assert rating.catch_up() == 120
    new_models.price_all()
    return token, keys[-1]


def run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        assert cursor.rowcount > 0


BREAKS = [
    ("UPDATE metering_hourlyusage SET input_tokens = input_tokens + 1", {"raw = hourly", "hourly = daily"}),
    ("UPDATE metering_hourlyusage SET num_sessions = 1", {"raw = hourly", "hourly = daily"}),
    (
        "DELETE FROM metering_hourlyusage WHERE user_id = (SELECT min(user_id) FROM metering_hourlyusage)",
        {"raw = hourly", "hourly = daily"},
    ),
    ("UPDATE metering_dailyusage SET output_tokens = output_tokens - 1", {"hourly = daily", "daily = organization"}),
    ("UPDATE metering_dailyusage SET api_key_id = api_key_id + 1000 WHERE api_key_id > 0", {"hourly = daily"}),
    ("UPDATE metering_organizationdailyusage SET num_model_requests = 0", {"daily = organization"}),
    ("DELETE FROM metering_organizationdailyusage", {"daily = organization", "organization = cost"}),
    ("UPDATE metering_userhourlyusage SET images = 1", {"hourly = user hourly"}),
    ("DELETE FROM metering_userhourlyusage", {"hourly = user hourly"}),
    ("UPDATE metering_untrackedhourlyusage SET sku_id = sku_id + 1000", {"hourly = untracked hourly"}),
    ("DELETE FROM metering_organizationhourlyusage", {"hourly = organization hourly"}),
    ("UPDATE metering_userdailyusage SET user_id = user_id + 1000", {"daily = user"}),
    ("UPDATE metering_untrackeddailyusage SET num_model_requests = 0", {"daily = untracked"}),
    ("UPDATE metering_monthlyusage SET seconds = 1", {"daily = monthly"}),
    ("DELETE FROM metering_monthlyusage", {"daily = monthly"}),
    (
        "UPDATE metering_attributedhourlyusage SET attribution_id = attribution_id + 1000",
        {"raw = attributed hourly", "attributed hourly = attributed daily", "attributed hourly = value hourly"},
    ),
    (
        "DELETE FROM metering_attributeddailyusage",
        {"attributed hourly = attributed daily", "attributed daily = attributed totals"},
    ),
    (
        "UPDATE metering_attributedmonthlytotal SET api_key_id = api_key_id + 1000",
        {"attributed daily = attributed totals"},
    ),
    ("UPDATE metering_attributedmonthlytotal SET input_tokens = 7", {"attributed daily = attributed totals"}),
    (
        "UPDATE metering_valuehourlyusage SET output_tokens = 1 WHERE value_id = -1",
        {"attributed hourly = value hourly", "value hourly = value daily"},
    ),
    (
        "DELETE FROM metering_valuedailyusage WHERE attribute_id = 0",
        {"value hourly = value daily", "value daily = value monthly"},
    ),
    ("UPDATE metering_valuemonthlyusage SET seconds = 1", {"value daily = value monthly"}),
    (
        "DELETE FROM metering_valuehourlyusage WHERE value_id = -2",  # all values together
        {"attributed hourly = value hourly", "value hourly = value daily"},
    ),
    ("DELETE FROM metering_valuemonthlytotal WHERE attribute_id = 0", {"value daily = value totals"}),
    ("DELETE FROM billing_dailycost WHERE unit_price IS NULL", {"organization = cost"}),
    (
        "UPDATE billing_dailycost SET quantity = quantity + 1, amount = (quantity + 1) * unit_price",
        {"organization = cost"},
    ),
    ("UPDATE billing_dailycost SET unit_price = unit_price * 1000, amount = amount * 1000", {"organization = cost"}),
    ("UPDATE billing_dailycost SET unit_price = 0, amount = 0 WHERE unit_price IS NULL", {"organization = cost"}),
    ("UPDATE metering_ingestbatch SET rolled_up_at = NULL", {"raw = hourly", "raw = attributed hourly"}),
    (
        "UPDATE metering_usageevent SET input_tokens = 0 WHERE input_tokens > 0",
        {"raw = hourly", "raw = attributed hourly"},
    ),
]


@pytest.mark.django_db(transaction=True)
def test_verify_finds_a_broken_row_in_every_layer_and_rebuild_repairs_it(world: World) -> None:
    fill(world)
    days = days_with_events()
    assert drift() == {}
    good = everything()
    assert all(good)
    for sql, layers in BREAKS[:-2]:
        run(sql)
        assert set(drift()) >= layers, sql
        assert list(proof.rebuild(days)) == days
        assert drift() == {}, sql
        assert everything() == good, sql
    for sql, layers in BREAKS[-2:]:
        run(sql)
        assert set(drift()) == layers, sql
        run("UPDATE metering_ingestbatch SET rolled_up_at = clock_timestamp()")


@pytest.mark.django_db(transaction=True)
def test_one_wrong_row_among_many_is_found_and_only_its_day_needs_repair(world: World) -> None:
    fill(world)
    day = days_ago(2).date()
    run(
        "UPDATE metering_hourlyusage SET images = 1 WHERE (organization_id, hour, user_id, api_key_id, sku_id) ="
        " (SELECT organization_id, hour, user_id, api_key_id, sku_id FROM metering_hourlyusage"
        f"  WHERE hour >= '{day}' AND hour < '{day + timedelta(days=1)}' AND api_key_id > 0 LIMIT 1)"
    )
    layers = ("raw = hourly", "hourly = daily", "hourly = user hourly", "hourly = organization hourly")
    assert drift() == dict.fromkeys(layers, 2)
    assert drift([one_day(day)]) == dict.fromkeys(layers, 2)
    assert drift([period for period in days_with_events() if period.start != day]) == {}
    list(proof.rebuild([one_day(day)]))
    assert drift() == {}


@pytest.mark.django_db(transaction=True)
def test_a_rebuild_rolls_up_what_waits_and_counts_it_once(world: World) -> None:
    token, key = fill(world)
    total = total_of(world.other, "num_model_requests")
    late = make_event(id="late", api_key_id=key.public_id, timestamp=days_ago(2))
    assert send(late, token) == ["accepted"]
    assert drift() == {}  # what waits is no drift
    list(proof.rebuild(days_with_events()))
    assert total_of(world.other, "num_model_requests") == total + 1
    assert rating.catch_up() == 0
    list(proof.rebuild(days_with_events()))
    assert total_of(world.other, "num_model_requests") == total + 1
    assert drift() == {}


@pytest.mark.django_db(transaction=True)
def test_a_day_without_raw_events_is_left_as_it_is(world: World) -> None:
    fill(world)
    gone = date(2020, 1, 1)
    with pytest.raises(proof.RawEventsGoneError, match="2020-01-01"):
        list(proof.rebuild([one_day(gone)]))
