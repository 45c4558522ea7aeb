"""Receivers that are slow on purpose are cut at the deadline, hold no transaction, and delay nobody but their organization."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from pytest_django import Settings

from accounts.clock import database_now
from accounts.models import Organization
from billing.alerts import Delivery, WebhookEndpoint
from billing.notices import deliveries, endpoints, webhooks
from tests.billing.notices.test_webhooks import SECRET, Receiver, receiver
from tests.machines.slow_receivers import TRICKLED_RECORD, SlowReceiver, slow_receivers
from tests.world import make_world

DEADLINE_SECONDS = 0.5
EVERY_SECONDS = 5.0
PATIENT_SECONDS = 5.0  # a deadline during which a loaded machine gets done what takes a moment
__all__ = ["receiver"]


@pytest.fixture(autouse=True)
def small_deadline(settings: Settings) -> None:
    settings.WEBHOOK_PRIVATE_ADDRESSES = True
    settings.WEBHOOK_TIMEOUT_SECONDS = DEADLINE_SECONDS


@pytest.fixture
def slow(settings: Settings) -> Iterator[list[SlowReceiver]]:
    with slow_receivers(4, every_seconds=EVERY_SECONDS) as found:
        settings.WEBHOOK_EXTRA_PORTS = [each.port for each in found]
        yield found


def post(port: int, *, scheme: str = "http") -> float:
    """How long it took to be refused."""
    began = time.monotonic()
    with pytest.raises(webhooks.WebhookError, match=r"within 0\.5 s"):
        webhooks.post(f"{scheme}://127.0.0.1:{port}/", SECRET, message_id="msg_1", timestamp=1, body=b"{}")
    return time.monotonic() - began


def until_asked(number: int, receivers: list[SlowReceiver]) -> None:
    """Returns when so many connections came to them all together, long before the first of them is given up."""
    until = time.monotonic() + PATIENT_SECONDS
    while sum(each.num_asked for each in receivers) < number:
        assert time.monotonic() < until, "fewer were asked"
        time.sleep(0.02)


def add(organization: Organization, url: str) -> Delivery:
    endpoint = WebhookEndpoint.objects.create(
        organization=organization, url=url, encrypted_secret=endpoints.seal(SECRET)
    )
    return Delivery.objects.create(message_id="msg_1", event_type="t", recipient=url, endpoint=endpoint, body="{}")


@pytest.mark.parametrize("every_seconds", [0.05, EVERY_SECONDS])
@pytest.mark.parametrize(
    ("scheme", "answer"), [("http", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 999), ("https", TRICKLED_RECORD)]
)
def test_a_byte_now_and_then_does_not_put_the_deadline_off(
    settings: Settings, scheme: str, answer: bytes, every_seconds: float
) -> None:
    with slow_receivers(1, every_seconds=every_seconds, answer=answer) as [found]:
        settings.WEBHOOK_EXTRA_PORTS = [found.port]
        assert post(found.port, scheme=scheme) < 4 * DEADLINE_SECONDS


@pytest.mark.parametrize("answer", [b"x" * 100_000, b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000])
def test_an_answer_without_end_is_not_read_to_the_end(settings: Settings, answer: bytes) -> None:
    settings.WEBHOOK_TIMEOUT_SECONDS = 30
    with slow_receivers(1, every_seconds=0, answer=answer) as [found]:
        settings.WEBHOOK_EXTRA_PORTS = [found.port]
        with pytest.raises(webhooks.WebhookError):
            webhooks.post(f"http://127.0.0.1:{found.port}/", SECRET, message_id="m", timestamp=1, body=b"{}")


@pytest.mark.django_db(transaction=True)
def test_four_slow_receivers_delay_nobody_else_and_hold_no_transaction(
    slow: list[SlowReceiver], receiver: Receiver, settings: Settings
) -> None:
    settings.WEBHOOK_EXTRA_PORTS = [receiver.server_port, *(each.port for each in slow)]
    settings.WEBHOOK_TIMEOUT_SECONDS = PATIENT_SECONDS
    world = make_world()
    for number, each in enumerate(slow):
        organization = Organization.objects.create(name=f"Slow {number}", slug=f"slow-{number}")
        for message in range(3):
            add(organization, f"http://127.0.0.1:{each.port}/{message}")
    quick = add(world.other, receiver.url)

    def work() -> None:
        try:
            deliveries.deliver_webhooks()
        finally:
            connection.close()

    with ThreadPoolExecutor(5) as pool:
        began = time.monotonic()
        working = [pool.submit(work) for _ in range(5)]
        while not receiver.received:
            assert time.monotonic() - began < settings.WEBHOOK_TIMEOUT_SECONDS, "it waits for slow receivers"
            time.sleep(0.02)
        until_asked(4, slow)
        asked_at = database_now()
        time.sleep(0.5)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%'"
                " AND datname = current_database() AND xact_start < %s",
                [asked_at],
            )
            assert cursor.fetchone() == (0,)
        assert [each.num_asked for each in slow] == [1] * 4, "one at a time for an organization"
        for done in working:
            done.result()
    quick.refresh_from_db()
    assert quick.delivered_at is not None
    assert set(Delivery.objects.exclude(pk=quick.pk).values_list("delivered_at", flat=True)) == {None}


@pytest.mark.django_db(transaction=True)
def test_slow_receivers_of_many_new_organizations_leave_threads_to_others(
    receiver: Receiver, settings: Settings
) -> None:
    """Eight threads, as `deliveries` has; a receiver each for a dozen organizations that have just been made."""
    settings.WEBHOOK_SLOW_AT_ONCE = 4
    settings.WEBHOOK_TIMEOUT_SECONDS = PATIENT_SECONDS
    world = make_world()
    with slow_receivers(12, every_seconds=EVERY_SECONDS) as many:
        settings.WEBHOOK_EXTRA_PORTS = [receiver.server_port, *(each.port for each in many)]
        for number, each in enumerate(many):
            organization = Organization.objects.create(name=f"New {number}", slug=f"new-{number}")
            add(organization, f"http://127.0.0.1:{each.port}/")
        quick = add(world.other, receiver.url)
        WebhookEndpoint.objects.filter(url=quick.recipient).update(is_quick=True)
        Delivery.objects.filter(pk=quick.pk).update(next_attempt_at=None)

        def work() -> None:
            try:
                deliveries.deliver_webhooks()
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            working = [pool.submit(work) for _ in range(8)]
            until_asked(4, many)
            time.sleep(0.5)  # for a fifth, if it were asked
            assert sum(each.num_asked for each in many) == 4
            Delivery.objects.filter(pk=quick.pk).update(next_attempt_at=quick.next_attempt_at)
            assert deliveries.deliver_webhooks() == 1, "it waits for slow receivers"
            for done in working:
                done.result()


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds", "is_quick"), [(0.0, True), (endpoints.QUICK_SECONDS + 0.1, False)])
def test_a_receiver_is_as_quick_as_it_was_the_last_time(seconds: float, is_quick: bool) -> None:
    endpoint = add(make_world().acme, "https://example.test/").endpoint
    assert endpoint is not None
    assert not endpoint.is_quick, "one that is new has yet to show it"
    WebhookEndpoint.objects.update(is_quick=not is_quick)
    endpoints.note_success(endpoint, seconds=seconds)
    endpoint.refresh_from_db()
    assert endpoint.is_quick == is_quick
    endpoints.note_failure(endpoint, "refused", now=endpoint.created_at, is_gone=False)
    endpoint.refresh_from_db()
    assert not endpoint.is_quick
