"""Four receivers that answer a byte every five seconds: rollups keep up, other tenants' webhooks go out, nothing is lost."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from django.conf import settings

from accounts.models import Organization
from billing.alerts import Delivery, WebhookEndpoint
from billing.notices import endpoints
from tests.billing.notices.test_webhooks import Receiver
from tests.faults.harness import Stack
from tests.faults.proof import Scenario
from tests.machines.slow_receivers import SlowReceiver, slow_receivers
from tests.world import make_organization
from usage_dashboard.machine.processes import wait_until

pytestmark = pytest.mark.faults
NUM_SLOW = 4
NUM_MESSAGES = 20
TIMEOUT_SECONDS = 2.0
CLAIM_SECONDS = TIMEOUT_SECONDS + 20
MOST_LAG_SECONDS = 5.0


@pytest.fixture
def quick() -> Iterator[Receiver]:
    server = Receiver()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def slow() -> Iterator[list[SlowReceiver]]:
    with slow_receivers(NUM_SLOW, every_seconds=5) as found:
        yield found


@contextmanager
def delivering(stack: Stack, *ports: int) -> Iterator[None]:
    """The worker for deliveries runs, and may send to these ports of this machine."""
    environment = {
        "SECRET_KEY": settings.SECRET_KEY,
        "WEBHOOK_PRIVATE_ADDRESSES": "1",
        "WEBHOOK_EXTRA_PORTS": ",".join(map(str, ports)),
        "WEBHOOK_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
    }
    stack.start("deliveries", environment=environment)
    try:
        yield
    finally:
        if "deliveries" in stack.children:
            stack.stop("deliveries")


def add(url: str, number: int) -> None:
    """An organization whose endpoint is to be sent so many messages."""
    organization: Organization = make_organization(url.rsplit(":", 1)[1].replace("/", "-")[:40])
    endpoint = WebhookEndpoint.objects.create(
        organization=organization, url=url, encrypted_secret=endpoints.seal("whsec_AAAA")
    )
    Delivery.objects.bulk_create(
        Delivery(message_id=f"msg_{organization.pk}_{n}", event_type="t", recipient=url, endpoint=endpoint, body="{}")
        for n in range(number)
    )


@pytest.mark.alone
def test_rollups_and_others_webhooks_go_on_beside_slow_receivers(
    stack: Stack, scenario: Scenario, num_events: int, slow: list[SlowReceiver], quick: Receiver
) -> None:
    lags: list[float] = []
    for receiver in slow:
        add(f"http://127.0.0.1:{receiver.port}/", NUM_MESSAGES)
    add(f"http://127.0.0.1:{quick.server_port}/", NUM_MESSAGES)
    with delivering(stack, quick.server_port, *(receiver.port for receiver in slow)):
        assert wait_until(lambda: all(receiver.num_asked for receiver in slow), timeout_seconds=60)
        with scenario.load.sending(num_events, at_least_seconds=10):
            while scenario.load.is_on():
                lags.append(json.loads(stack.get("/readyz")[1])["rollup_lag_seconds"])
        assert wait_until(lambda: len(quick.received) == NUM_MESSAGES, timeout_seconds=10)
    print(f"lag while slow receivers are sent to: {max(lags):.1f} s at most")
    assert max(lags) <= MOST_LAG_SECONDS
    assert max(receiver.num_asked for receiver in slow) <= 3, "one that fails rests"
    scenario.require_exactly_once()


def test_a_message_whose_worker_is_killed_goes_out_again_under_its_id(
    stack: Stack, slow: list[SlowReceiver], quick: Receiver
) -> None:
    port = slow[0].port
    add(f"http://127.0.0.1:{port}/killed", 1)
    [message] = Delivery.objects.filter(recipient__endswith="killed")
    with delivering(stack, port):
        assert wait_until(lambda: slow[0].num_asked == 1, timeout_seconds=60)
        stack.kill("deliveries")
    WebhookEndpoint.objects.filter(url=message.recipient).update(url=f"http://127.0.0.1:{quick.server_port}/")
    with delivering(stack, quick.server_port):
        assert wait_until(lambda: bool(quick.received), timeout_seconds=CLAIM_SECONDS + 30)
    [(headers, _)] = quick.received
    assert headers["webhook-id"] == message.message_id
