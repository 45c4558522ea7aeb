"""Webhooks: signed as Standard Webhooks says, sent once, tried again; endpoints that nothing reaches are switched off."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from pytest_django import Settings

from accounts.clock import database_now
from accounts.models import AuditEvent
from billing.alerts import Delivery, WebhookEndpoint
from billing.models import Invoice
from billing.notices import deliveries, endpoints, webhooks
from metering.models import FailedItem
from tests.money import OCTOBER, close, set_price, use
from tests.world import World

# The example of the specification's reference libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Receiver(HTTPServer):
    """An endpoint on this machine that keeps what it gets and answers with `status`."""

    status = 204
    location = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?x=1"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Quiet."""


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.WEBHOOK_PRIVATE_ADDRESSES = True
    server = Receiver()
    settings.WEBHOOK_EXTRA_PORTS = [server.server_port]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def invoice(world: World, receiver: Receiver) -> Invoice:
    """A final invoice that an endpoint of Other is to be told of; the owner's mail is out already."""
    set_price("m", "0.01")
    WebhookEndpoint.objects.create(organization=world.other, url=receiver.url, encrypted_secret=endpoints.seal(SECRET))
    use(world.other, "2026-10-02", "m", input_tokens=100)
    [found] = close(OCTOBER)
    Delivery.objects.filter(endpoint=None).delete()
    return found


def make_due() -> None:
    """As if the waits of messages and endpoints were over."""
    Delivery.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=database_now())
    WebhookEndpoint.objects.update(retry_at=None)


def test_the_signature_is_the_one_of_the_specification() -> None:
    signature = webhooks.sign(
        SECRET, message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=b'{"test": 2432232314}'
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_new_secret_has_at_least_24_random_bytes() -> None:
    first, second = webhooks.new_secret(), webhooks.new_secret()
    assert first != second
    assert len(base64.b64decode(first.removeprefix("whsec_"))) >= 24


def test_a_final_invoice_is_told_once_and_signed(invoice: Invoice, receiver: Receiver) -> None:
    assert deliveries.deliver_waiting() == 1
    assert deliveries.deliver_waiting() == 0
    [(headers, body)] = receiver.received
    message = json.loads(body)
    assert message["type"] == "invoice.finalized"
    assert (message["data"]["number"], message["data"]["total"]) == (invoice.number, "1.00")
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - database_now().timestamp()) < 60


def test_an_endpoint_that_fails_is_tried_again_under_the_same_id(invoice: Invoice, receiver: Receiver) -> None:
    receiver.status = 503
    assert deliveries.deliver_waiting() == 0
    assert deliveries.deliver_waiting() == 0, "it waits"
    waiting = Delivery.objects.get()
    assert waiting.last_error == "The endpoint answered 503."
    assert waiting.next_attempt_at is not None
    receiver.status = 200
    make_due()
    assert deliveries.deliver_waiting() == 1
    (first, _), (second, _) = receiver.received
    assert first["webhook-id"] == second["webhook-id"]


def test_a_redirect_is_not_followed(invoice: Invoice, receiver: Receiver) -> None:
    receiver.status, receiver.location = 302, receiver.url
    assert deliveries.deliver_waiting() == 0
    assert len(receiver.received) == 1


def test_an_endpoint_that_was_removed_gets_nothing(invoice: Invoice, receiver: Receiver) -> None:
    WebhookEndpoint.objects.update(disabled_at=database_now())
    deliveries.deliver_waiting()
    assert receiver.received == []
    assert Delivery.objects.get().next_attempt_at is None


def test_an_endpoint_that_keeps_failing_is_switched_off_and_its_owners_are_told(
    invoice: Invoice, receiver: Receiver, world: World
) -> None:
    receiver.status = 500
    for _ in range(3):
        deliveries.deliver_webhooks()
        make_due()
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.num_failures, endpoint.switched_off_at) == (3, None)
    assert not Delivery.objects.filter(endpoint=None).exists()
    WebhookEndpoint.objects.update(failing_since=database_now() - timedelta(hours=73))
    deliveries.deliver_webhooks()
    endpoint.refresh_from_db()
    assert endpoint.switched_off_at is not None
    told = Delivery.objects.get(endpoint=None)
    assert told.subject == "A webhook of Other was switched off"
    assert "The endpoint answered 500." in told.body
    make_due()
    deliveries.deliver_webhooks()
    assert len(receiver.received) == 4, "nothing goes there any more"
    assert Delivery.objects.exclude(endpoint=None).get().next_attempt_at is None
    assert AuditEvent.objects.filter(event="webhook.switched_off", organization=world.other).count() == 1


def test_an_endpoint_that_is_gone_is_switched_off_at_once(invoice: Invoice, receiver: Receiver) -> None:
    receiver.status = 410
    deliveries.deliver_webhooks()
    assert WebhookEndpoint.objects.get().switched_off_at is not None


def test_an_endpoint_that_works_again_has_no_failures(invoice: Invoice, receiver: Receiver) -> None:
    receiver.status = 500
    deliveries.deliver_webhooks()
    receiver.status = 204
    make_due()
    assert deliveries.deliver_webhooks() == 1
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.failing_since, endpoint.num_failures, endpoint.last_error) == (None, 0, "")


def test_an_endpoint_that_fails_rests_with_all_of_its_messages(invoice: Invoice, receiver: Receiver) -> None:
    first = Delivery.objects.get()
    Delivery.objects.bulk_create(
        Delivery(message_id=f"msg_{n}", event_type="t", recipient=first.recipient, endpoint=first.endpoint, body="{}")
        for n in range(50)
    )
    receiver.status = 500
    for _ in range(3):
        deliveries.deliver_webhooks()
    assert len(receiver.received) == 1


def test_a_message_that_ends_its_worker_each_time_is_given_up(invoice: Invoice, receiver: Receiver) -> None:
    for _ in range(len(endpoints.WAITS) + 1):
        with transaction.atomic():
            assert deliveries._claim_webhook() is not None
        assert deliveries._claim_webhook() is None, "it is claimed"
        Delivery.objects.update(claimed_until=database_now())
    assert deliveries.deliver_webhooks() == 0
    given_up = Delivery.objects.get()
    assert (given_up.next_attempt_at, receiver.received) == (None, [])


def test_a_message_whose_worker_died_goes_out_under_the_same_id(invoice: Invoice, receiver: Receiver) -> None:
    claimed = deliveries._claim_webhook()
    assert claimed is not None
    assert deliveries.deliver_webhooks() == 0
    Delivery.objects.update(claimed_until=database_now())
    assert deliveries.deliver_webhooks() == 1
    [(headers, _)] = receiver.received
    assert headers["webhook-id"] == claimed.message_id


def test_a_message_that_cannot_be_sent_stops_none_behind_it(invoice: Invoice, receiver: Receiver, world: World) -> None:
    WebhookEndpoint.objects.create(organization=world.labs, url="http://[broken/ü", encrypted_secret="unreadable")
    WebhookEndpoint.objects.create(
        organization=world.acme, url="http://127.0.0.1/", encrypted_secret=endpoints.seal("whsec_A")
    )
    for number, endpoint in enumerate(WebhookEndpoint.objects.exclude(organization=world.other)):
        Delivery.objects.create(
            message_id=f"msg_{number}",
            event_type="t",
            recipient=endpoint.url,
            endpoint=endpoint,
            body="{}",
            next_attempt_at=database_now() - timedelta(days=1),
        )
    Delivery.objects.create(message_id="mail", event_type="t", recipient="a\nb@example.com", subject="s", body="b")
    Delivery.objects.create(message_id="mail", event_type="t", recipient="c@example.com", subject="s", body="b")
    assert deliveries.deliver_waiting() == 2
    assert [message.to for message in mail.outbox] == [["c@example.com"]]
    assert len(receiver.received) == 1
    failed = Delivery.objects.filter(delivered_at=None)
    assert set(failed.values_list("num_attempts", flat=True)) == {1}
    told = " ".join(FailedItem.objects.values_list("item", flat=True))
    assert "msg_1" in told
    assert "mail" in told


def test_a_secret_is_read_with_an_earlier_key_and_not_with_another(
    invoice: Invoice, receiver: Receiver, settings: Settings
) -> None:
    earlier, settings.SECRET_KEY = settings.SECRET_KEY, "another one"
    assert deliveries.deliver_webhooks() == 0
    assert "SECRET_KEY" in Delivery.objects.get().last_error
    settings.SECRET_KEY_FALLBACKS = [earlier]
    make_due()
    assert deliveries.deliver_webhooks() == 1
