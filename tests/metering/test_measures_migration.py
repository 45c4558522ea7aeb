"""What an installation has stored before events said more keeps its numbers, its costs and its identity."""

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from accounts.periods import one_day
from billing import proof
from billing.models import DailyCost, Price
from metering.intake import skus
from metering.measures import MEASURES
from metering.models import DailyUsage, HourlyUsage, MonthlyUsage, Sku, UsageEvent
from metering.rollups import proof as rollup_proof
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.world import World

pytestmark = pytest.mark.django_db
BEFORE = [("billing", "0011_quick_webhooks"), ("metering", "0009_projects_and_attributes")]
NEW = {
    *("input_cache_write_long_tokens", "input_image_tokens", "input_video_tokens"),
    *("output_image_tokens", "output_reasoning_tokens"),
}
OLD = [measure for measure in MEASURES if measure not in NEW]


def migrate(targets: list[tuple[str, str]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    MigrationExecutor(connection).migrate(targets)


def stored() -> dict[str, Any]:
    """All that the upgrade must not change."""
    return {
        "events": set(UsageEvent.objects.values_list("event_id", "sku_id", *OLD)),
        "hours": set(HourlyUsage.objects.values_list("hour", "sku_id", *OLD)),
        "days": set(DailyUsage.objects.values_list("day", "sku_id", *OLD)),
        "months": set(MonthlyUsage.objects.values_list("month", "sku_id", *OLD)),
        "costs": set(
            DailyCost.objects.values_list("sku_id", "line_item", "quantity", "unit_price", "amount", "price_id")
        ),
        "prices": set(Price.objects.values_list("id", "line_item", "unit_price", "effective_date")),
        "skus": set(Sku.objects.values_list("id", "usage_type", "in_both_units")),
    }


def drifts() -> set[int]:
    """How much differs between the layers, from raw events to costs."""
    day = one_day(days_ago(1).date())
    with connection.cursor() as cursor:
        layers = [*rollup_proof.prove_day(cursor, day)]
        layers.append(rollup_proof.compare(cursor, day, "costs", proof.EXPECTED_COST, proof.STORED_COST))
    assert all(layer.num_rows for layer in layers if layer.layer in ("raw = hourly", "costs"))
    return {layer.num_different for layer in layers}


def test_stored_usage_is_the_same_after_the_upgrade_and_goes_on(world: World) -> None:
    token, key = make_token(), make_key(world.rita).public_id
    written = {"input_tokens": 900, "input_cache_write_tokens": 400, "output_tokens": 7}
    events = [
        make_event(id="plain", api_key_id=key),
        make_event(id="written", api_key_id=key, model="claude-haiku-4-5", **written),
        make_event(id="image", api_key_id=key, usage_type="images", model="gpt-image-1.5", images=1),
    ]
    assert send(events, token) == ["accepted"] * 3
    roll_up()
    before = stored()
    leaves = MigrationExecutor(connection).loader.graph.leaf_nodes()
    migrate(BEFORE)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM metering_dailyusage")
        assert cursor.fetchone() == (3,)  # filled, as it was then
        cursor.execute("DROP TABLE IF EXISTS pg_temp.incoming")
    migrate(leaves)
    skus.forget()
    assert stored() == before
    assert {getattr(row, measure) for row in DailyUsage.objects.all() for measure in NEW} == {0}
    assert drifts() == {0}
    assert send(events, token) == ["duplicate"] * 3
    more = make_event(id="more", api_key_id=key, model="claude-haiku-4-5", **written, input_cache_write_long_tokens=300)
    assert send(more, token) == ["accepted"]
    roll_up()
    assert drifts() == {0}
