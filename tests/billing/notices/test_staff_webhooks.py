"""News of the installation for staff, where they are: by webhook and chat beside the email, and to no organization."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction
from pytest_django import Settings

from accounts.audit.audit import SYSTEM_ACTOR
from accounts.clock import database_now
from accounts.models import AuditEvent, User
from billing.alerts import Delivery, StaffNews, WebhookEndpoint, WebhookFormat
from billing.invoices import holds
from billing.notices import deliveries, endpoints, failures, lag, outbox
from billing.notices.endpoints import EndpointRefusedError
from billing.prices import rating
from billing.proof import prove_and_store
from metering import isolation
from metering.models import IngestBatch
from tests.billing.notices.test_webhooks import Receiver, receiver  # noqa: F401 - a fixture
from tests.engine import make_event, make_key, make_token, send
from tests.money import OCTOBER, close, set_price, use
from tests.world import World
from usage_dashboard.celery import app

SLACK = "https://hooks.slack.com/services/T/B/x"


def staff(world: World) -> User:
    User.objects.filter(pk=world.charlie.pk).update(is_staff=True, is_superuser=True)
    return world.charlie


def hook(url: str = "https://example.com/operator", *kinds: str) -> WebhookEndpoint:
    return endpoints.add(None, url, actor=SYSTEM_ACTOR, event_types=kinds)


def hooks_of_customers(world: World) -> None:
    """They are told of everything that theirs are told of."""
    for organization in (world.acme, world.other):
        endpoints.add(organization, "https://example.com/customer", actor=SYSTEM_ACTOR)


def told() -> list[tuple[str, str]]:
    """(type, recipient) of what is in the outbox."""
    return sorted(Delivery.objects.values_list("event_type", "recipient"))


def test_staff_is_told_by_mail_and_where_they_are_and_nobody_else_is(world: World) -> None:
    hooks_of_customers(world)
    hook()
    endpoints.add(None, SLACK, actor=SYSTEM_ACTOR, format=WebhookFormat.SLACK)
    outbox.tell_staff(
        "accounts.view_user",
        message_id="msg_1",
        event_type=StaffNews.PROOF,
        subject="The layers differ",
        text="October 2\n\nMend it.\n",
        page="overview:state",
    )
    assert {recipient for _, recipient in told()} == {endpoints.named(SLACK), "https://example.com/operator"}
    assert set(Delivery.objects.values_list("organization", flat=True)) == {None}
    program, chat = (json.loads(found.body) for found in Delivery.objects.order_by("endpoint_id"))
    assert (program["type"], program["data"]) == (
        "proof.drift",
        {"subject": "The layers differ", "text": "October 2\n\nMend it."},
    )
    assert chat["blocks"][1]["text"]["text"] == "October 2\n\nMend it."
    assert chat["blocks"][2]["elements"][0]["url"].endswith("/settings/staff/state/")


def test_a_hook_is_told_of_what_was_chosen_alone(world: World) -> None:
    hook("https://example.com/a", StaffNews.HELD)
    hook("https://example.com/b", StaffNews.BEHIND, StaffNews.PROOF)
    outbox.tell_staff("x.y", message_id="m", event_type=StaffNews.PROOF, subject="s", text="t", page="overview:state")
    assert told() == [(StaffNews.PROOF, "https://example.com/b")]


@pytest.mark.django_db(transaction=True)
def test_drift_that_the_proof_finds_is_told(world: World) -> None:
    hook()
    send([make_event(id="e", api_key_id=make_key(world.rita).public_id)], make_token())
    rating.catch_up()
    assert prove_and_store().num_different == 0
    assert told() == []
    with connection.cursor() as cursor:
        cursor.execute("UPDATE metering_dailyusage SET input_tokens = input_tokens + 1")
    assert prove_and_store().num_different
    assert told() == [(StaffNews.PROOF, "https://example.com/operator")]


def test_an_item_that_fails_is_told(world: World) -> None:
    staff(world)
    hook()
    isolation.count_failure("roll_up", "batch 7", ValueError("poison"))
    assert failures.check() == 1
    assert (StaffNews.FAILED, "https://example.com/operator") in told()


def test_a_held_invoice_is_told(world: World) -> None:
    hook()
    set_price("m", "0.01")
    use(world.other, "2026-10-02", "m", input_tokens=-100)
    assert close(OCTOBER)[0].held_at
    assert holds.held_invoices().exists()
    assert (StaffNews.HELD, "https://example.com/operator") in told()


def test_rollups_that_are_behind_are_told_once_an_hour(world: World, settings: Settings) -> None:
    settings.READY_MAX_LAG_SECONDS = 300
    user = staff(world)
    hook()
    now = database_now()
    assert not lag.check(now)
    assert told() == []
    send([make_event(id="e", api_key_id=make_key(world.rita).public_id)], make_token())
    IngestBatch.objects.update(received_at=now - timedelta(seconds=299))
    assert not lag.check(now)
    IngestBatch.objects.update(received_at=now - timedelta(minutes=7))
    assert [lag.check(now), lag.check(now)] == [True, True]
    assert told() == [(StaffNews.BEHIND, user.email), (StaffNews.BEHIND, "https://example.com/operator")]
    lag.check(now + timedelta(hours=1))
    assert len(told()) == 4
    assert "7 minutes behind" in Delivery.objects.order_by("id")[0].subject


def test_whether_the_worker_is_behind_is_looked_at_by_another() -> None:
    assert app.amqp.router.route({}, "billing.tasks.check_lag")["queue"].name == "deliveries"
    assert app.amqp.router.route({}, "metering.tasks.roll_up")["queue"].name == "celery"


def test_messages_to_staff_go_out_signed_one_at_a_time(world: World, receiver: Receiver) -> None:  # noqa: F811
    endpoint = hook(receiver.url)
    for number in range(3):
        outbox.tell_staff(
            "x.y", message_id=f"m{number}", event_type=StaffNews.PROOF, subject="s", text="t", page="home"
        )
    claim = deliveries._claim_webhook
    first = claim()
    assert first is not None
    assert claim() is None
    Delivery.objects.update(claimed_until=None)
    assert deliveries.deliver_webhooks() == 3
    assert {headers["webhook-id"] for headers, _ in receiver.received} == {"m0", "m1", "m2"}
    assert endpoint.secret.startswith("whsec_")


def test_a_customer_s_slow_hook_does_not_hold_up_staff_s(world: World) -> None:
    customer = endpoints.add(world.acme, "https://example.com/customer", actor=SYSTEM_ACTOR)
    outbox.test_message(customer)
    assert deliveries._claim_webhook() is not None
    outbox.test_message(hook())
    claimed = deliveries._claim_webhook()
    assert claimed is not None
    assert claimed.organization_id is None


def test_a_hook_that_is_gone_is_switched_off_and_staff_gets_a_mail(world: World, receiver: Receiver) -> None:  # noqa: F811
    user = staff(world)
    hook(receiver.url)
    receiver.status = 410
    outbox.tell_staff("x.y", message_id="m", event_type=StaffNews.PROOF, subject="s", text="t", page="home")
    assert deliveries.deliver_webhooks() == 0
    assert WebhookEndpoint.objects.get().switched_off_at
    deliveries.deliver_mails()
    bodies = [message.body for message in mail.outbox if message.to == [user.email]]
    assert any("/settings/news/" in body for body in bodies)
    assert AuditEvent.objects.get(event="webhook.switched_off").organization_id is None


def test_an_address_is_added_once_for_staff_and_apart_from_customers(world: World) -> None:
    endpoints.add(world.acme, "https://example.com/operator", actor=SYSTEM_ACTOR)
    hook()
    with pytest.raises(EndpointRefusedError, match="already registered"):
        hook()
    with pytest.raises(IntegrityError, match="webhook_endpoint_unique"), transaction.atomic():
        WebhookEndpoint.objects.create(url="https://example.com/operator", encrypted_secret="x")


@pytest.mark.django_db(transaction=True)
def test_staff_have_as_many_as_the_limit_says_also_when_two_add_at_once(settings: Settings) -> None:
    settings.WEBHOOK_MAX_ENDPOINTS = 2

    def add(number: int) -> bool:
        try:
            hook(f"https://example.com/{number}")
        except EndpointRefusedError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(add, range(8))) == 2
