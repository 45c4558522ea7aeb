"""`metering.rollups.retention`: what is old goes, what is not counted yet stays, and nothing comes back to be counted again."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from django.conf import LazySettings
from django.core.mail import EmailMessage
from django.db import ProgrammingError, connection, transaction

from accounts.clock import database_now
from billing import proof
from billing.alerts import Delivery
from billing.notices import deliveries
from billing.prices import rating
from metering.attribution_models import AttributeValueMonth
from metering.models import (
    DailyUsage,
    HourlyUsage,
    IngestBatch,
    MonthlyUsage,
    OrganizationHourlyUsage,
    UsageEvent,
    UserDailyUsage,
    UserHourlyUsage,
    Verification,
)
from metering.rollups import partitions, retention
from metering.rollups.proof import days_with_events
from tests.engine import days_ago, make_event, make_key, make_token, send
from tests.world import World

HOURS = (HourlyUsage, UserHourlyUsage, OrganizationHourlyUsage)


@pytest.fixture
def no_partitions(db: None) -> None:
    """Partitions that tests with real transactions left are gone, until this test's own is rolled back."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [partitions.TABLE]
        )
        for (partition,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE {partition}")
    partitions.forget()


@pytest.fixture
def sender(no_partitions: None, world: World, settings: LazySettings) -> tuple[str, str]:
    """(public id of a key, secret of a token); events are accepted and kept for 20 days."""
    settings.USAGE_EVENT_MAX_AGE_DAYS = 20
    settings.USAGE_EVENT_RETENTION_DAYS = 20
    return make_key(world.rita).public_id, make_token()


def send_old(sender: tuple[str, str], settings: LazySettings, *, age_days: int, event_id: str = "event-1") -> None:
    """An event that was accepted in its time and has become old since."""
    settings.USAGE_EVENT_MAX_AGE_DAYS = age_days + 1
    event = make_event(id=event_id, api_key_id=sender[0], timestamp=days_ago(age_days))
    assert send([event], sender[1]) == ["accepted"]
    settings.USAGE_EVENT_MAX_AGE_DAYS = 20


def test_old_events_are_dropped_and_their_sums_stay(sender: tuple[str, str], settings: LazySettings) -> None:
    send_old(sender, settings, age_days=30)
    send([make_event(id="young", api_key_id=sender[0])], sender[1])
    rating.catch_up()

    assert retention.drop_old() == [days_ago(30).date()]

    assert UsageEvent.objects.count() == 1
    assert IngestBatch.objects.count() == 1
    assert (HourlyUsage.objects.count(), DailyUsage.objects.count()) == (2, 2)
    assert retention.drop_old() == []


def test_events_that_wait_to_be_rolled_up_are_never_dropped(sender: tuple[str, str], settings: LazySettings) -> None:
    send_old(sender, settings, age_days=30)

    assert retention.drop_old() == []
    assert UsageEvent.objects.count() == 1
    rating.catch_up()
    assert retention.drop_old() == [days_ago(30).date()]
    assert sum(row.num_model_requests for row in DailyUsage.objects.all()) == 1


@pytest.mark.django_db(transaction=True)
def test_events_that_are_committed_while_their_day_is_about_to_be_dropped_stay(
    sender: tuple[str, str], settings: LazySettings
) -> None:
    send_old(sender, settings, age_days=30)
    rating.catch_up()
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():  # not committed yet
            send_old(sender, settings, age_days=30, event_id="event-2")
            dropping = threads.submit(drop_old_apart)
            wait_until_it_waits_for_a_table()
        assert dropping.result(timeout=30) == []

    assert UsageEvent.objects.count() == 2
    rating.catch_up()
    assert retention.drop_old() == [days_ago(30).date()]
    assert sum(row.num_model_requests for row in DailyUsage.objects.all()) == 2


def drop_old_apart() -> list[date]:
    """On a connection of its own."""
    try:
        return retention.drop_old()
    finally:
        connection.close()


def wait_until_it_waits_for_a_table() -> None:
    """Until another connection asks for a lock that it does not get."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'relation' AND NOT granted AND database ="
                " (SELECT oid FROM pg_database WHERE datname = current_database()))"
            )
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    pytest.fail("Nobody waits for a table.")


def test_a_duplicate_of_a_dropped_event_is_refused_as_too_old(sender: tuple[str, str], settings: LazySettings) -> None:
    send_old(sender, settings, age_days=30)
    rating.catch_up()
    retention.drop_old()

    assert send([make_event(api_key_id=sender[0], timestamp=days_ago(30))], sender[1]) == ["too_old"]


def test_days_from_which_events_are_accepted_are_kept_whatever_the_setting_says(
    sender: tuple[str, str], settings: LazySettings
) -> None:
    settings.USAGE_EVENT_RETENTION_DAYS = 1
    send([make_event(api_key_id=sender[0], timestamp=days_ago(19))], sender[1])
    rating.catch_up()

    assert retention.drop_old() == []
    assert send([make_event(api_key_id=sender[0], timestamp=days_ago(19))], sender[1]) == ["duplicate"]


def test_a_partition_dropped_behind_the_back_of_a_web_process_is_made_again(sender: tuple[str, str]) -> None:
    yesterday = days_ago(1).date()
    send([make_event(id="first", api_key_id=sender[0])], sender[1])
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {partitions.partition_name(yesterday)}")

    assert send([make_event(id="second", api_key_id=sender[0])], sender[1]) == ["accepted"]


def test_hours_go_after_thirteen_months_and_days_and_months_stay(sender: tuple[str, str]) -> None:
    send([make_event(api_key_id=sender[0])], sender[1])
    rating.catch_up()
    with connection.cursor() as cursor:
        for table in HOURS:
            cursor.execute(f"UPDATE {table._meta.db_table} SET hour = %s", [days_ago(401)])

    assert [table._default_manager.count() for table in HOURS] == [1, 1, 1]
    retention.drop_old()

    assert [table._default_manager.count() for table in HOURS] == [0, 0, 0]
    assert (DailyUsage.objects.count(), UserDailyUsage.objects.count(), MonthlyUsage.objects.count()) == (1, 1, 1)


@pytest.mark.django_db
def test_which_values_arrived_in_a_month_is_kept_for_thirteen_months() -> None:
    today = database_now().date()
    for place, days in enumerate((0, 390, 400)):
        AttributeValueMonth.objects.create(attribute_id=1, month=today - timedelta(days=days), value_id=place)
    retention.drop_old()
    assert set(AttributeValueMonth.objects.values_list("value_id", flat=True)) == {0, 1}


def test_partitions_are_made_for_every_acceptable_day_and_some_ahead(sender: tuple[str, str]) -> None:
    partitions.ensure_ahead()

    today = database_now().date()
    days = [day.start for day in days_with_events()]
    assert days[0] == today - timedelta(days=20)
    assert days[-1] == today + timedelta(days=partitions.DAYS_AHEAD)


@pytest.mark.django_db(transaction=True)
def test_the_nightly_proof_is_stored_and_staff_are_told_of_drift(
    sender: tuple[str, str], world: World, mailoutbox: list[EmailMessage]
) -> None:
    world.alice.is_staff = world.alice.is_superuser = True
    world.alice.save(update_fields=["is_staff", "is_superuser"])
    send([make_event(api_key_id=sender[0])], sender[1])
    rating.catch_up()

    assert proof.prove_and_store().num_different == 0
    assert mailoutbox == []

    with connection.cursor() as cursor:
        cursor.execute("UPDATE metering_dailyusage SET input_tokens = input_tokens + 1")
    run = proof.prove_and_store()

    assert Verification.objects.count() == 2
    assert run.finished_at is not None
    assert {layer for _, layer, _ in run.differences} == {
        "hourly = daily",
        "daily = user",
        "daily = organization",
        "daily = monthly",
    }
    assert mailoutbox == []  # it waits in the outbox, and a mail server that is away for a while does not lose it
    assert Delivery.objects.get().recipient == world.alice.email
    assert deliveries.deliver_mails() == 1
    [message] = mailoutbox
    assert message.to == [world.alice.email]
    assert message.subject == "Usage Dashboard: the layers from raw events to invoices differ"
    assert "hourly = daily: different rows: 2" in str(message.body)


@pytest.mark.django_db(transaction=True)
def test_a_proof_whose_alarm_cannot_be_kept_is_not_finished(sender: tuple[str, str], world: World) -> None:
    world.alice.is_staff = world.alice.is_superuser = True
    world.alice.save(update_fields=["is_staff", "is_superuser"])
    send([make_event(api_key_id=sender[0])], sender[1])
    rating.catch_up()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE metering_dailyusage SET input_tokens = input_tokens + 1")
        cursor.execute("ALTER TABLE billing_delivery RENAME TO away")
    try:
        with pytest.raises(ProgrammingError):
            proof.prove_and_store()
        assert [run.finished_at for run in Verification.objects.all()] == [None]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO billing_delivery")

    assert proof.prove_and_store().finished_at is not None
    assert Delivery.objects.count() == 1
