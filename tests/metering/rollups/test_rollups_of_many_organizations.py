"""A rollup's work grows with what is new and the rows that it makes, however many organizations there are."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction

from apikeys.routing import ATTRIBUTED
from billing.models import DailyCost
from billing.prices import rating
from metering.cluster.state import is_distributed
from metering.models import (
    AttributedDailyUsage,
    DailyUsage,
    HourlyUsage,
    IngestBatch,
    OrganizationDailyUsage,
    Sku,
    UsageEvent,
)
from metering.rollups import partitions
from metering.rollups.deltas import CLUSTER_TABLES
from metering.rollups.tables import ALL_DAILY, ALL_HOURLY, MONTHLY
from tests.database.statistics import analyze_beside
from tests.database.work import Work, counted
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.usage.rollup_proof import drift
from tests.usage.rollup_rows import sku_of
from tests.world import World

NUM_KEYS = 600


def batch(sku: Sku, at: datetime, organization_of: Callable[[int], int], **same: int) -> None:
    """An event of each of NUM_KEYS keys, which waits; `same` are fields in which all are alike."""
    partitions.ensure([at.date()])
    with transaction.atomic():  # as in a transaction of its own: a cluster's runs claim what no open one has written
        stored = IngestBatch.objects.create(first_occurred_at=at, last_occurred_at=at, num_events=NUM_KEYS)
    UsageEvent.objects.bulk_create(
        UsageEvent(
            organization_id=organization_of(number),
            occurred_at=at,
            event_id=uuid.uuid4(),
            batch_id=stored.pk,
            api_key_id=number,
            sku_id=sku.pk,
            routing=int(ATTRIBUTED),
            num_model_requests=1,
            input_tokens=100,
            output_tokens=10,
            **({"user_id": number} | same),
        )
        for number in range(1, NUM_KEYS + 1)
    )


def work_of_a_run(num_organizations: int, day: int) -> Work:
    """Of a run that adds to the rows that another has made."""
    sku, at = sku_of("m"), days_ago(day)

    def organization_of(number: int) -> int:
        return 10_000 * day + number % num_organizations

    batch(sku, at, organization_of)
    assert rating.roll_up_and_rate() == NUM_KEYS
    batch(sku, at + timedelta(minutes=1), organization_of)
    with counted() as work:
        assert rating.roll_up_and_rate() == NUM_KEYS
    return work


def deltas_that_stay() -> list[str]:
    return [*CLUSTER_TABLES] if is_distributed() else []


@pytest.mark.django_db
def test_a_run_of_many_organizations_does_hardly_more_for_each_row_than_one_of_few() -> None:
    few, many = work_of_a_run(6, day=2), work_of_a_run(NUM_KEYS, day=3)
    assert few.num_rows >= 5 * NUM_KEYS  # hours, days and months of keys, hours and days of users
    assert many.num_rows >= 10 * NUM_KEYS  # and hours, days and costs of organizations
    assert many.num_pages / many.num_rows <= 1.6 * few.num_pages / few.num_rows


@pytest.mark.django_db
def test_rows_to_add_to_are_looked_up_and_no_others_are_read() -> None:
    for day in range(2, 5):
        work_of_a_run(NUM_KEYS, day)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_nestloop = off")  # what follows would now rather read whole tables
    work = work_of_a_run(NUM_KEYS, day=5)
    assert NUM_KEYS <= work.rows_read_of("total") <= work.num_rows


@pytest.mark.django_db
def test_days_are_looked_up_by_their_whole_key_where_smaller_indexes_lead_to_all_rows_of_a_day() -> None:
    sku, at = sku_of("m"), days_ago(2)
    purpose = 0 if is_distributed() else 1  # a cluster cannot explain how it adds up by what usage was for
    for minute in range(2):
        batch(sku, at + timedelta(minutes=minute), lambda _: 1, user_id=1, attribution_id=purpose)
        with counted() as work:
            assert rating.roll_up_and_rate() == NUM_KEYS
    for days in (DailyUsage, AttributedDailyUsage)[: purpose + 1]:
        assert NUM_KEYS <= work.pages_for(days._meta.db_table) <= 12 * NUM_KEYS
        assert [*days.objects.values_list("num_model_requests", "input_tokens")] == [(2, 200)] * NUM_KEYS


@pytest.mark.django_db
def test_statistics_that_were_made_while_a_run_was_open_do_not_change_how_rows_are_looked_up() -> None:
    for day in range(2, 5):
        work_of_a_run(NUM_KEYS, day)
    for table in (*(rollup.table for rollup in (*ALL_HOURLY, *ALL_DAILY, MONTHLY)), *deltas_that_stay()):
        analyze_beside(table)
    work = work_of_a_run(NUM_KEYS, day=5)
    assert NUM_KEYS <= work.rows_read_of("total") <= work.num_rows


@pytest.mark.django_db
def test_events_are_found_by_their_batches_whatever_else_is_stored_of_their_hours() -> None:
    sku, at = sku_of("m"), days_ago(2)
    batch(sku, at, lambda number: number)
    with counted() as work:
        assert rating.roll_up_and_rate() == NUM_KEYS
    found = work.conditions_of(partitions.partition_name(at.date()))
    assert any("batch_id" in condition for condition in found)
    assert not any("occurred_at" in condition for condition in found)


@pytest.mark.django_db(transaction=True)
def test_counted_work_is_done_as_ever(world: World) -> None:
    token, key = make_token(), make_key(world.rita)
    assert send(make_event(api_key_id=key.public_id), token) == ["accepted"]
    with counted() as work:
        assert roll_up() == 1
    assert work.num_rows > 0
    assert HourlyUsage.objects.count() == OrganizationDailyUsage.objects.count() == 1
    assert DailyCost.objects.exists()
    assert drift() == {}
