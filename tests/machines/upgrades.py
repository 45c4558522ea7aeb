"""From a filled database of an earlier version to today's, and what must be the same on both sides."""

import io
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from accounts.periods import one_day
from billing import proof
from billing.models import DailyCost, Price
from metering.cluster import state
from metering.measures import MEASURES
from metering.models import DailyUsage, HourlyUsage, MonthlyUsage, Sku, UsageEvent
from metering.rollups import proof as rollup_proof
from tests.engine import days_ago

NEW_MEASURES = {
    *("input_cache_write_long_tokens", "input_image_tokens", "input_video_tokens"),
    *("output_image_tokens", "output_reasoning_tokens"),
}
OLD = [measure for measure in MEASURES if measure not in NEW_MEASURES]


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


def through(before: list[tuple[str, str]]) -> None:
    """Back to those migrations, with all that is stored, and forward again, as an operator is told to on a cluster too."""
    leaves = MigrationExecutor(connection).loader.graph.leaf_nodes()
    num_days = DailyUsage.objects.count()
    migrate(before)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM metering_dailyusage")
        assert cursor.fetchone() == (num_days,)  # filled, as it was then
        cursor.execute("DROP TABLE IF EXISTS pg_temp.incoming")
    migrate(leaves)
    if state.is_distributed():
        call_command("distribute", "--apply", stdout=io.StringIO())
