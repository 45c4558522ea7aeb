"""However many values an attribute has, a page by it reads the bars of those that it draws, and a list one row for each."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.periods import month_of
from billing.cost import queries as costs
from metering.attribution_models import ALL
from metering.measures import MEASURES, ServiceTier, UsageType
from metering.models import Model
from metering.rollups.tables import COLUMNS, ORGANIZATION_DAILY, VALUE_DAILY, VALUE_MONTHLY, VALUE_TOTALS, WITH_SKU
from metering.usage.declared import declared_in
from metering.usage.groupings import SERVICE_TIER
from metering.usage.queries import SHOWN_PARTS, Rank, SkuFilter, UsageQuery
from metering.usage.rankings import ranking_page, top_lists
from metering.usage.sums import activity_of
from tests.database.plans import nodes_of, plan_in
from tests.engine import days_ago
from tests.usage.attributions import declare
from tests.usage.rollup_rows import sku_of
from tests.world import World

pytestmark = pytest.mark.django_db
NUM_VALUES = 400
MODELS = ("gpt-4o", "o3", "o4-mini")
FEW = 31 * NUM_VALUES * len(MODELS) // 10
"""Of the rows of days."""
ANSWER = "what leaves the database"


@pytest.fixture
def query(world: World) -> UsageQuery:
    """A month by team: each of its days has all values, of some models each, the higher ones with more requests."""
    team, month = declare(world.acme, "team", "Team"), month_of(days_ago(40).date())
    sums = ", ".join({"num_model_requests": "value"}.get(measure, "0") for measure in MEASURES)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO {VALUE_DAILY.table} (organization_id, attribute_id, value_id, sku_id, day, {COLUMNS})
            SELECT %s, %s, value, sku_id, day, {sums}
            FROM generate_series(1, {NUM_VALUES}) AS value, unnest(%s) AS sku_id,
                generate_series(%s::date, %s::date - 1, '1 day') AS day
            """,
            [world.acme.pk, team.pk, [sku_of(model).pk for model in MODELS], month.start, month.end],
        )
        all_values = replace(VALUE_DAILY, finer_key=VALUE_DAILY.key.replace("value_id", f"{ALL}"))
        cursor.execute(
            f"INSERT INTO {VALUE_DAILY.table} ({VALUE_DAILY.key}, {COLUMNS}) {all_values.sums_of(VALUE_DAILY.table)}"
        )
        for coarser, finer in (
            (VALUE_MONTHLY, VALUE_DAILY.table),
            (VALUE_TOTALS, f"{VALUE_DAILY.table} {WITH_SKU}"),
            (ORGANIZATION_DAILY, f"(SELECT * FROM {VALUE_DAILY.table} WHERE value_id = {ALL}) AS all_values"),
        ):
            cursor.execute(f"INSERT INTO {coarser.table} ({coarser.key}, {COLUMNS}) {coarser.sums_of(finer)}")
            cursor.execute(f"ANALYZE {coarser.table}")
        cursor.execute(f"ANALYZE {VALUE_DAILY.table}")
    (group,) = declared_in([world.acme]).attributes
    return UsageQuery((world.acme.pk,), month, group=group)


def rows_read(ask: Callable[[], object]) -> Counter[str]:
    """How many rows of each table the statements look at, those that they leave out as well, and how many they answer. Asked for
    last: in a transaction in which Citus has explained a statement, that answers nothing more."""
    with CaptureQueriesContext(connection) as asked:
        ask()
    found: Counter[str] = Counter()
    with connection.cursor() as cursor:
        for statement in asked.captured_queries:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement['sql'].replace('%', '%%')}", [])
            ((plan,),) = cursor.fetchall()
            top = plan_in(plan)
            found[ANSWER] += round(top["Actual Rows"])
            for node in nodes_of(top):
                looked_at = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                found[node.get("Relation Name", "")] += round(looked_at * node["Actual Loops"])
    return found


def test_the_activity_page_reads_a_row_for_each_value_and_the_days_of_those_it_draws(query: UsageQuery) -> None:
    read = rows_read(lambda: activity_of(query))
    assert 0 < read[VALUE_DAILY.table] <= FEW
    assert read[VALUE_MONTHLY.table] == 0
    assert read[VALUE_TOTALS.table] == NUM_VALUES + 2  # and all together, to know what is of none


def test_the_activity_page_knows_the_largest_values_and_counts_the_others_in_the_database(query: UsageQuery) -> None:
    activity = activity_of(query)
    assert activity.num_parts["requests"] == NUM_VALUES
    assert {row.part for row in activity.rows} == {*range(NUM_VALUES - SHOWN_PARTS + 1, NUM_VALUES + 1), None}
    days = (query.period.end - query.period.start).days
    assert activity.total("requests") == sum(range(NUM_VALUES + 1)) * len(MODELS) * days
    assert rows_read(lambda: activity_of(query))[ANSWER] < NUM_VALUES


def test_lists_of_values_read_a_row_for_each(query: UsageQuery) -> None:
    for ask in (
        lambda: top_lists(query, Rank.REQUESTS, [query.group]),
        lambda: ranking_page(query, query.group, Rank.TOKENS, search="", page=2),
    ):
        read = rows_read(ask)
        assert read[VALUE_TOTALS.table] == NUM_VALUES + 2
        assert read[VALUE_MONTHLY.table] == read[VALUE_DAILY.table] == 0


def test_the_cost_page_reads_the_days_of_those_it_draws(query: UsageQuery) -> None:
    read = rows_read(lambda: costs.spending_of(query, range(SHOWN_PARTS), num_parts=NUM_VALUES))
    assert 0 < read[VALUE_DAILY.table] <= FEW


def test_a_filter_by_model_reads_the_rows_that_know_models(query: UsageQuery) -> None:
    by_model = replace(query, model_ids=(Model.objects.get(name="o3").pk,))
    days = (query.period.end - query.period.start).days
    (first, *_) = (row for row in top_lists(by_model, Rank.REQUESTS, [query.group]) if row.group == query.group)
    assert (first.id, first.value, first.list_size) == (NUM_VALUES, NUM_VALUES * days, NUM_VALUES)
    by_type = replace(query, usage_types=(UsageType.COMPLETIONS.value,))
    (first, *_) = (row for row in top_lists(by_type, Rank.REQUESTS, [query.group]) if row.group == query.group)
    assert (first.id, first.value) == (NUM_VALUES, NUM_VALUES * days * len(MODELS))
    by_other_type = replace(query, usage_types=(UsageType.EMBEDDINGS.value,))
    assert not top_lists(by_other_type, Rank.REQUESTS, [query.group])
    assert rows_read(lambda: top_lists(by_model, Rank.REQUESTS, [query.group]))[VALUE_TOTALS.table] == 0


def test_a_filter_by_parts_of_what_is_priced_reads_the_rows_that_know_them(query: UsageQuery) -> None:
    of_default, of_flex = (
        replace(query, sku_filters=(SkuFilter(SERVICE_TIER, (tier.value,)),))
        for tier in (ServiceTier.DEFAULT, ServiceTier.FLEX)
    )
    assert top_lists(of_default, Rank.REQUESTS, [query.group]) == top_lists(query, Rank.REQUESTS, [query.group])
    assert not top_lists(of_flex, Rank.REQUESTS, [query.group])
