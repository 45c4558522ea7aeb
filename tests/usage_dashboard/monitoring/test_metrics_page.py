"""What /metrics says is what happened: events, times, queues, connections, messages, faults."""

from datetime import timedelta
from typing import Any

import pytest
from celery import Celery
from django.conf import settings as current
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.clock import database_now
from apikeys.models import APIKey
from billing.alerts import Delivery, WebhookEndpoint
from metering import isolation
from metering.ingestion_models import IngestCount, Source
from metering.intake.copy_rows import ACCEPTED
from metering.intake.received import received
from metering.intake.received.tally import tally
from metering.models import IngestBatch, Verification
from metering.rollups import retention
from tests.engine import make_event, send
from tests.usage_dashboard.monitoring.scrape import ask, counters, scraped, value, values
from tests.world import World
from usage_dashboard.monitoring.timings import REQUEST, TASK, timings

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("measured", "redis_server")]


def test_events_are_counted_by_way_in_and_outcome(token: str, key: APIKey) -> None:
    good = [make_event(id=f"event-{number}", api_key_id=key.public_id) for number in range(5)]
    send(good, token)
    send([*good, make_event(id="whose", api_key_id="key_nobody")], token)
    received.note(Source.OTLP, None, [ACCEPTED])
    tally.write()
    found = scraped()
    outcomes = {"accepted": 5, "duplicate": 5, "rejected": 1}
    assert {one: value(found, "events_total", source="native", outcome=one) for one in outcomes} == outcomes
    assert value(found, "events_total", source="otlp", outcome="accepted") == 1


def test_no_counter_becomes_less_when_old_counts_are_dropped() -> None:
    """Prometheus takes what became less for a counter that began again, and all of it for new."""
    received.note(Source.NATIVE, None, [ACCEPTED] * 1000)
    tally.write()
    before = scraped()
    IngestCount.objects.exclude(grain="ever").update(began_at=database_now() - timedelta(days=500))
    retention.drop_old()
    after = scraped()
    assert IngestCount.objects.count() == 1
    assert dict(counters(after)) == dict(counters(before))


def test_times_are_a_histogram_of_each_address() -> None:
    for seconds in (0.004, 0.005, 0.3, 70.0):
        timings.note(REQUEST, "/usage", "2xx", seconds)
    timings.note(REQUEST, "/usage", "5xx", 1.5)
    timings.note(TASK, "billing.tasks.roll_up", "idle", 0.02)
    timings.write()
    timings.note(REQUEST, "/usage", "2xx", 0.3)
    timings.write()
    found = scraped()

    def bucket(bound: str) -> float:
        return value(found, "request_seconds_bucket", route="/usage", le=bound)

    assert [bucket(bound) for bound in ("0.005", "0.25", "0.5", "60.0", "+Inf")] == [2, 2, 4, 5, 6]
    assert value(found, "request_seconds_count", route="/usage") == 6
    assert value(found, "request_seconds_sum", route="/usage") == pytest.approx(72.109)
    assert value(found, "requests_total", route="/usage", outcome="2xx") == 5
    assert value(found, "requests_total", route="/usage", outcome="5xx") == 1
    assert value(found, "task_seconds_count", task="billing.tasks.roll_up", outcome="idle") == 1


def test_the_lag_is_that_of_readyz_and_what_waits_is_counted() -> None:
    now = database_now()
    for minutes in (10, 5):
        IngestBatch.objects.create(
            received_at=now - timedelta(minutes=minutes), first_occurred_at=now, last_occurred_at=now, num_events=7
        )
    found = scraped()
    assert value(found, "rollup_lag_seconds") == pytest.approx(600, abs=5)
    assert value(found, "rollup_waiting_batches") == 2


def test_queues_are_as_long_as_they_are() -> None:
    with Celery(broker=current.CELERY_BROKER_URL).connection_for_write() as broker:
        channel: Any = broker.channel()
        for queue in ("celery", "deliveries"):
            channel.client.delete(queue)
        channel.client.rpush("deliveries", *["a message"] * 3)
        found = scraped()
        channel.client.delete("deliveries")
    assert values(found, "queue_messages", "queue") == {"celery": 0, "deliveries": 3}
    assert value(found, "broker_up") == 1


def test_without_the_broker_the_rest_is_told(measured: Settings) -> None:
    measured.REDIS_URL = "redis+socket:///nowhere/redis.sock"
    found = scraped()
    assert (value(found, "broker_up"), values(found, "queue_messages", "queue")) == (0, {})
    assert value(found, "rollup_lag_seconds") < 60


def test_connections_are_those_of_this_database() -> None:
    found = scraped()
    states = values(found, "database_connections", "state")
    assert {"active", "idle", "idle in transaction"} <= states.keys()
    assert states["active"] >= 1
    assert value(found, "database_connections_max") >= sum(states.values())


def test_messages_that_wait_are_told_from_those_that_failed_and_the_oldest_is_said(world: World) -> None:
    endpoint = WebhookEndpoint.objects.create(
        organization=world.acme, url="https://a.test/", encrypted_secret="", failing_since=database_now()
    )
    WebhookEndpoint.objects.create(
        organization=world.acme, url="https://b.test/", encrypted_secret="", switched_off_at=database_now()
    )
    now = database_now()
    deliver("new", next_attempt_at=now - timedelta(minutes=3))
    deliver("tried", num_attempts=2, next_attempt_at=now + timedelta(hours=1))
    deliver("hook", endpoint=endpoint, num_attempts=1, next_attempt_at=now + timedelta(hours=1))
    deliver("out", num_attempts=1, next_attempt_at=None, delivered_at=now)
    found = scraped()

    def waiting(kind: str, attempts: str) -> float:
        return value(found, "deliveries_waiting", kind=kind, attempts=attempts)

    assert [waiting(*which) for which in (("email", "none"), ("email", "some"))] == [1, 1]
    assert [waiting(*which) for which in (("webhook", "none"), ("webhook", "some"))] == [0, 1]
    assert value(found, "deliveries_overdue_seconds", kind="email") == pytest.approx(180, abs=5)
    assert value(found, "deliveries_overdue_seconds", kind="webhook") == 0
    assert values(found, "webhooks", "state") == {"failing": 1, "switched off": 1}


def deliver(name: str, **fields: Any) -> Delivery:
    return Delivery.objects.create(message_id=name, event_type="test", recipient="alice@acme.test", body="", **fields)


def test_what_failed_and_what_the_last_proof_found_is_told() -> None:
    for item in ("one", "two"):
        isolation.count_failure("verify", item, ValueError("no"))
    now = database_now()
    for different, finished_at in ((5, now - timedelta(days=1)), (3, now), (9, None)):
        Verification.objects.create(started_at=now, finished_at=finished_at, num_different=different)
    found = scraped()
    assert value(found, "failed_items", task="verify", state="waiting") == 2
    assert value(found, "proof_different_rows") == 3
    assert value(found, "proof_finished_timestamp_seconds") == pytest.approx(now.timestamp(), abs=1)


def test_an_installation_without_any_proof_has_no_number_for_it() -> None:
    assert not [name for name, _ in scraped() if name.startswith("proof")]


def test_a_scrape_asks_few_questions_whatever_there_is(world: World) -> None:
    def num_queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert ask().status_code == 200
        return len(asked)

    before = num_queries()
    for number in range(20):
        deliver(f"message-{number}")
        timings.note(REQUEST, f"/{number}", "2xx", 0.1)
    timings.write()
    assert num_queries() == before <= 20


@pytest.mark.django_db(transaction=True)
def test_what_was_told_survives_a_crash_of_the_database() -> None:
    """Counts are committed without waiting for the disk; the scrape that sees them waits."""

    def position(what: str) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_current_wal_{what}_lsn() - '0/0'")
            return cursor.fetchone()[0]

    for _ in range(3):
        received.note(Source.NATIVE, None, [ACCEPTED])
        tally.write()
        written = position("insert")
        scraped()
        assert position("flush") >= written
