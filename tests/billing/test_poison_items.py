"""One poisonous item in each task's queue: what stands behind it is still done, and staff can see what failed.

A new task in CELERY_BEAT_SCHEDULE needs a test here, decorated with its name, or a line that says why it has no items.
"""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any, Final, TypeVar

import pytest
from django.conf import settings as installed
from django.core import mail
from django.db import connection
from pytest_django import Settings

from accounts.clock import database_now
from accounts.models import Organization, User
from accounts.periods import month_of
from apikeys.adminkeys.adminkeys import create_admin_key
from apikeys.models import APIKey
from billing.alerts import Budget, BudgetAlert, Delivery, UnpricedAlert, WebhookEndpoint
from billing.budgets import budgets
from billing.models import DailyCost, Invoice, PriceChange, PriceSource
from billing.notices import endpoints
from billing.prices import rerating
from billing.proof import COST_COLUMNS
from metering.models import FailedItem, HourlyUsage, IngestBatch, Verification
from metering.rollups import partitions
from metering.rollups import run as rollups
from tests.billing.notices.test_webhooks import Receiver, receiver
from tests.engine import days_ago, make_event, make_key, make_token, send
from tests.machines.cluster import in_shards
from tests.money import ACTOR, set_price, terms, use
from tests.world import World, make_world
from usage_dashboard.celery import app

__all__ = ["receiver"]
Test = TypeVar("Test", bound=Callable[..., None])
TESTED: Final[set[str]] = set()
WITHOUT_ITEMS: Final = {
    "accounts.tasks.drop_old_security_events": "one statement that deletes by age",
    "accounts.tasks.drop_expired_values": "one statement that deletes by age",
    "billing.tasks.check_lag": "one question, and one message to staff",
    "usage_dashboard.tasks.measure": "statements that add up what the database has, and belong to nobody",
}
Poison = Callable[[str, str], None]
POISONOUS: Final = (
    "CREATE OR REPLACE FUNCTION poison(bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN {}; END $$"
)
BRIN: Final = """
    SELECT {} FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam
    WHERE amname = 'brin' AND indrelid = '%s'::regclass
"""

pytestmark = pytest.mark.django_db(transaction=True)


def of_task(name: str) -> Callable[[Test], Test]:
    TESTED.add(name)
    return lambda test: test


def run(task: str) -> None:
    """As the worker does."""
    app.loader.import_default_modules()
    app.tasks[task]()


def execute(sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def cleanup() -> Iterator[list[str]]:
    """SQL that takes back what a test did to the schema."""
    statements: list[str] = []
    yield statements
    for statement in statements:
        execute(statement)


@pytest.fixture
def poison(cleanup: list[str]) -> Poison:
    """Rows of a table for which the condition holds cannot be written: by a constraint, which tables of a cluster have, too."""

    def add(table: str, condition: str) -> None:
        execute(
            f"ALTER TABLE {table} ADD CONSTRAINT poison CHECK (1 / CASE WHEN {condition} THEN 0 ELSE 1 END = 1) NOT VALID"
        )
        cleanup.append(antidote(table))

    return add


def antidote(table: str) -> str:
    return f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS poison"


def failed() -> list[str]:
    return list(FailedItem.objects.order_by("pk").values_list("item", flat=True))


def test_every_task_of_the_schedule_has_a_test_here() -> None:
    assert {entry["task"] for entry in installed.CELERY_BEAT_SCHEDULE.values()} == TESTED | WITHOUT_ITEMS.keys()


@of_task("billing.tasks.roll_up")
def test_a_batch_that_cannot_be_rolled_up_is_set_aside(world: World, poison: Poison, settings: Settings) -> None:
    token = make_token()
    keys: list[APIKey] = [make_key(world.rita), make_key(world.charlie)]
    poison("metering_hourlyusage", f"user_id = {world.rita.pk}")
    for number in range(12):
        key = keys[0 if number == 4 else 1]
        assert send([make_event(id=f"e{number}", api_key_id=key.public_id)], token) == ["accepted"]
    run("billing.tasks.roll_up")
    assert sum(row.num_model_requests for row in HourlyUsage.objects.all()) == 11
    bad = IngestBatch.objects.get(rolled_up_at=None)
    assert failed() == [f"{rollups.BATCH}{bad.pk}"]
    assert execute(f"SELECT count(*) FROM metering_ingestbatch WHERE {rollups.IS_WAITING}") == [(0,)]
    execute(antidote("metering_hourlyusage"))
    FailedItem.objects.update(next_attempt_at=database_now())
    run("billing.tasks.roll_up")
    assert sum(row.num_model_requests for row in HourlyUsage.objects.all()) == 12
    assert failed() == []


@of_task("billing.tasks.price_new_models")
def test_a_new_model_whose_prices_cannot_be_stored(world: World, poison: Poison) -> None:
    poison("billing_pricesource", "provider_model = 'o3'")
    key = make_key(world.rita).public_id
    events = [make_event(id=model, api_key_id=key, model=model) for model in ("o3", "gpt-4o")]
    assert send(events, make_token()) == ["accepted"] * 2
    run("billing.tasks.roll_up")
    run("billing.tasks.price_new_models")
    assert list(PriceSource.objects.values_list("model__name", flat=True)) == ["gpt-4o"]
    assert failed() == ["o3"]
    execute(antidote("billing_pricesource"))
    FailedItem.objects.update(next_attempt_at=database_now())
    run("billing.tasks.price_new_models")
    assert PriceSource.objects.count() == 2
    assert failed() == []


@of_task("metering.tasks.summarize")
def test_an_index_that_cannot_be_summarized(world: World, cleanup: list[str]) -> None:
    bad, good = (days_ago(days).date() for days in (2, 1))
    partitions.ensure([bad, good])
    execute(POISONOUS.format("RETURN $1"))
    cleanup.append("DROP FUNCTION poison(bigint) CASCADE")
    execute(f"CREATE INDEX aaa_poison ON {partitions.partition_name(bad)} USING brin (poison(batch_id))")
    key = make_key(world.rita).public_id
    events = [make_event(id=f"e{n}", api_key_id=key, timestamp=days_ago(n)) for n in (1, 2)]
    assert send(events, make_token()) == ["accepted"] * 2
    for day in (bad, good):
        in_shards(partitions.partition_name(day), BRIN.format("brin_desummarize_range(indexrelid, 0)"))
    execute(POISONOUS.format("RAISE EXCEPTION 'poison'"))
    run("metering.tasks.summarize")
    assert failed() == [partitions.partition_name(bad)]
    left = in_shards(partitions.partition_name(good), BRIN.format("brin_summarize_new_values(indexrelid)"))
    assert set(left) == {"0"}, "it was summarized"


@of_task("metering.tasks.make_partitions")
def test_a_day_whose_partition_cannot_be_made(cleanup: list[str]) -> None:
    today = database_now().date()
    bad, good = (partitions.partition_name(today + timedelta(days=days)) for days in (2, 3))
    for name in (bad, good):
        execute(f"DROP TABLE IF EXISTS {name}")
    execute(f"CREATE TYPE {bad} AS ENUM ()")
    cleanup.append(f"DROP TYPE {bad}")
    run("metering.tasks.make_partitions")
    assert failed() == [f"{today + timedelta(days=2)}"]
    assert execute(f"SELECT to_regclass('{good}') IS NOT NULL") == [(True,)]


@of_task("metering.tasks.drop_old")
def test_a_day_that_cannot_be_dropped(world: World, settings: Settings, cleanup: list[str]) -> None:
    key, token = make_key(world.rita).public_id, make_token()
    settings.USAGE_EVENT_MAX_AGE_DAYS = 40
    for age in (31, 30):
        assert send([make_event(id=f"e{age}", api_key_id=key, timestamp=days_ago(age))], token) == ["accepted"]
    run("billing.tasks.roll_up")
    bad, good = (days_ago(age).date() for age in (31, 30))
    execute(f"CREATE VIEW poison AS SELECT FROM {partitions.partition_name(bad)}")
    cleanup.append("DROP VIEW poison")
    settings.USAGE_EVENT_MAX_AGE_DAYS = settings.USAGE_EVENT_RETENTION_DAYS = 20
    run("metering.tasks.drop_old")
    assert str(bad) in failed()
    assert execute(f"SELECT to_regclass('{partitions.partition_name(good)}') IS NULL") == [(True,)]


@of_task("billing.tasks.verify")
def test_a_day_that_cannot_be_read(world: World, cleanup: list[str]) -> None:
    """… because before the table of costs stands a view that divides by nothing on that day."""
    key, token = make_key(world.rita).public_id, make_token()
    events = [make_event(id=f"e{age}", api_key_id=key, timestamp=days_ago(age)) for age in (1, 2)]
    assert send(events, token) == ["accepted"] * 2
    run("billing.tasks.roll_up")
    days = DailyCost._meta.db_table
    quantity = f"quantity / CASE WHEN day = '{days_ago(2).date()}' THEN 0 ELSE 1 END AS quantity"
    columns = COST_COLUMNS.replace("quantity", quantity)
    execute(f"CREATE TEMPORARY VIEW {days} AS SELECT {columns} FROM public.{days}")
    cleanup.append(f"DROP VIEW IF EXISTS pg_temp.{days}")
    run("billing.tasks.verify")
    assert failed()[0] == f"day {days_ago(2).date()}"
    found = Verification.objects.get()
    assert found.finished_at is not None
    assert found.num_rows > 0


@of_task("billing.tasks.re_rate")
def test_a_price_change_that_cannot_be_rated(world: World, poison: Poison) -> None:
    set_price("m", "1")
    for organization, model in ((world.other, "bad"), (world.acme, "good")):
        set_price(model, "1")
        use(organization, "2026-11-02", model, input_tokens=1)
        rerating.change_price(terms(model, "2", start="2026-11-01"), actor=ACTOR)
    bad, good = PriceChange.objects.order_by("pk")
    poison("billing_pricechange", f"id = {bad.pk} AND num_days_done > 0")
    run("billing.tasks.re_rate")
    good.refresh_from_db()
    assert good.finished_at is not None
    assert failed() == [f"change {bad.pk}"]


@of_task("billing.tasks.check_budgets")
@of_task("billing.tasks.check_all_budgets")
@pytest.mark.parametrize("task", ["billing.tasks.check_budgets", "billing.tasks.check_all_budgets"])
def test_a_budget_that_cannot_be_told(world: World, poison: Poison, task: str) -> None:
    crossed_budgets(world, poison, "NOT is_forecast")
    run(task)
    assert told() == {world.acme.pk}
    assert failed() == [f"budget {Budget.objects.get(organization=world.other).pk}"]


@of_task("billing.tasks.check_forecasts")
def test_a_forecast_that_cannot_be_told(world: World, poison: Poison) -> None:
    poison("billing_budgetalert", f"organization_id = {world.other.pk}")
    today = database_now().date()
    set_price("m", "1")
    for organization in (world.other, world.acme):
        for days in range(1, 20):
            use(organization, today - timedelta(days=days), "m", input_tokens=100)
        use(organization, today, "m", input_tokens=100)
        spent = sum(amount for _, amount in _month_costs(organization, today))
        budgets.set_budget(organization, amount=spent + 1, thresholds=[1000], is_hard=False, actor=ACTOR)
    run("billing.tasks.check_forecasts")
    if _is_last_day(today):  # nothing is expected to come any more
        return
    assert told() == {world.acme.pk}
    assert failed() == [f"budget {Budget.objects.get(organization=world.other).pk}"]


@of_task("billing.tasks.check_unpriced")
def test_usage_without_a_price_that_cannot_be_told(world: World, poison: Poison) -> None:
    staff(world)
    use(world.acme, "2026-11-05", "aaa-bad", input_tokens=1)
    use(world.acme, "2026-11-05", "bbb-good", input_tokens=1)
    (bad,) = execute("SELECT id FROM metering_model WHERE name = 'aaa-bad'")
    poison("billing_unpricedalert", f"model_id = {bad[0]}")
    run("billing.tasks.check_unpriced")
    assert [alert.model.name for alert in UnpricedAlert.objects.select_related("model")] == ["bbb-good"]
    assert len(failed()) == 1
    assert "bbb-good" in Delivery.objects.get().subject


@of_task("billing.tasks.check_failures")
def test_a_failure_whose_text_is_strange_is_told_with_the_others(world: World) -> None:
    staff(world)
    FailedItem.objects.create(task="a", item="\n\r\u2028<b>", last_error="x" * 500)
    FailedItem.objects.create(task="b", item="next")
    run("billing.tasks.check_failures")
    run("billing.tasks.deliver_mails")
    [message] = mail.outbox
    assert "b, next" in message.body


@of_task("billing.tasks.tell_of_keys")
def test_news_of_keys_that_cannot_be_told(world: World, poison: Poison, settings: Settings) -> None:
    settings.KEY_NEWS_SECONDS = 0
    for organization in (world.other, world.acme):
        endpoints.add(organization, "https://example.com/hook", actor=ACTOR)
        create_admin_key(
            organization=organization,
            name="Reports",
            scopes=["usage"],
            expires_at=None,
            now=database_now(),
            actor=ACTOR,
        )
    bad = WebhookEndpoint.objects.get(organization=world.other)
    poison("billing_delivery", f"endpoint_id = {bad.pk}")
    run("billing.tasks.tell_of_keys")
    assert set(Delivery.objects.values_list("endpoint__organization", flat=True)) == {world.acme.pk}
    assert failed() == [f"admin_key.created {world.other.pk}"]


@of_task("billing.tasks.deliver_mails")
def test_a_mail_that_cannot_be_sent() -> None:
    for number, recipient in enumerate(("a\nb@example.com", "c@example.com")):
        Delivery.objects.create(message_id=f"m{number}", event_type="t", recipient=recipient, subject="s", body="b")
    run("billing.tasks.deliver_mails")
    assert [message.to for message in mail.outbox] == [["c@example.com"]]
    assert len(failed()) == 1


@of_task("billing.tasks.deliver_webhooks")
def test_a_webhook_that_cannot_be_sent(world: World, receiver: Receiver) -> None:
    for organization, secret in ((world.acme, "whsec_A"), (world.other, "whsec_AAAA")):
        endpoint = WebhookEndpoint.objects.create(
            organization=organization, url=receiver.url, encrypted_secret=endpoints.seal(secret)
        )
        Delivery.objects.create(message_id="m", event_type="t", recipient=secret, endpoint=endpoint, body="{}")
    run("billing.tasks.deliver_webhooks")
    assert len(receiver.received) == 1
    assert len(failed()) == 1


@of_task("billing.tasks.close_months")
def test_a_payer_whose_month_cannot_be_closed(world: World, poison: Poison) -> None:
    set_price("m", "1", start="2025-01-01")
    last_month = database_now().date().replace(day=1) - timedelta(days=1)
    for organization in (world.other, world.acme):
        use(organization, last_month, "m", input_tokens=1)
    poison("billing_invoice", f"payer_id = {world.other.pk}")
    run("billing.tasks.close_months")
    assert set(Invoice.objects.values_list("payer_id", flat=True)) == {world.acme.pk}
    assert any(world.other.slug in item for item in failed())


def crossed_budgets(world: World, poison: Poison, condition: str) -> None:
    """The budgets of Other, which cannot be told of, and of Acme are crossed today."""
    today = database_now().date()
    set_price("m", "1")
    poison("billing_budgetalert", f"organization_id = {world.other.pk} AND {condition}")
    for organization in (world.other, world.acme):
        Budget.objects.create(organization=organization, amount=1, thresholds=[100])
        use(organization, today, "m", input_tokens=100)


def staff(world: World) -> None:
    User.objects.filter(pk=world.charlie.pk).update(is_staff=True, is_superuser=True)


def told() -> set[int]:
    return set(BudgetAlert.objects.values_list("organization_id", flat=True))


def _month_costs(organization: Organization, today: date) -> list[tuple[date, Any]]:
    rows = DailyCost.objects.filter(organization_id=organization.pk, day__gte=month_of(today).start)
    return list(rows.values_list("day", "amount"))


def _is_last_day(today: date) -> bool:
    return (today + timedelta(days=1)).day == 1
