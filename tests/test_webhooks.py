"""Webhooks: signed as Standard Webhooks says, sent once, tried again, and never into the operator's own network."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from pytest_django import Settings

from accounts.clock import database_now
from billing import outbox, webhooks
from billing.alerts import Delivery, WebhookEndpoint
from billing.models import Invoice
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
    WebhookEndpoint.objects.create(organization=world.other, url=receiver.url, secret=SECRET)
    use(world.other, "2026-10-02", "m", input_tokens=100)
    [found] = close(OCTOBER)
    Delivery.objects.filter(endpoint=None).delete()
    return found


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
    assert outbox.deliver_waiting() == 1
    assert outbox.deliver_waiting() == 0
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
    assert outbox.deliver_waiting() == 0
    waiting = Delivery.objects.get()
    assert waiting.last_error == "The endpoint answered 503."
    assert waiting.next_attempt_at is not None
    receiver.status = 200
    Delivery.objects.update(next_attempt_at=database_now())
    assert outbox.deliver_waiting() == 1
    (first, _), (second, _) = receiver.received
    assert first["webhook-id"] == second["webhook-id"]


def test_a_redirect_is_not_followed(invoice: Invoice, receiver: Receiver) -> None:
    receiver.status, receiver.location = 302, receiver.url
    assert outbox.deliver_waiting() == 0
    assert len(receiver.received) == 1


def test_an_endpoint_that_was_removed_gets_nothing(invoice: Invoice, receiver: Receiver) -> None:
    WebhookEndpoint.objects.update(disabled_at=database_now())
    outbox.deliver_waiting()
    assert receiver.received == []
    assert Delivery.objects.get().next_attempt_at is None


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0.0.0.0/",
        "http://[::ffff:127.0.0.1]/",
        "http://2130706433/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https://user:secret@example.com/",
        "http:///",
        "http://127.0.0.1:99999/",
    ],
)
def test_addresses_that_lead_inside_are_refused(url: str) -> None:
    with pytest.raises(webhooks.WebhookError):
        webhooks.require_allowed(url)
