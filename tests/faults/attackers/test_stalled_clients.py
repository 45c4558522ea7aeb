"""Clients that stop in the middle of a body, or send it byte by byte: they are dropped, and hold up nobody for long."""

import http.client
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.faults.attackers.beside import rate_of_events, require_batches_go_on
from tests.faults.harness import HOST, Stack
from tests.faults.load import Client, head
from tests.faults.proof import Scenario
from usage_dashboard.machine.processes import wait_until

pytestmark = pytest.mark.faults
NUM_STALLED = 64  # twice as many as web has threads
NUM_POOLED = 32  # the threads of both processes, which start with the first request that needs one
TIMEOUT_SECONDS = 8.0
SOME_SECONDS = 1.5
NUM_STRANGERS = 400
ENVIRONMENT = {
    "REQUEST_BODY_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
    "DEBUG": "1",  # pages without collected static files
}
SIGN_IN = "/accounts/login/"


@pytest.fixture(scope="module")
def web_environment() -> dict[str, str]:
    return ENVIRONMENT


@pytest.fixture
def impatient(own_web: None, stack: Stack) -> Stack:
    """Web with a short time for bodies."""
    return stack


def test_more_clients_stall_in_mid_body_than_there_are_threads(
    impatient: Stack, scenario: Scenario, num_events: int
) -> None:
    rate_of_events(scenario)
    threads, sockets = impatient.num_threads("web"), impatient.num_connections("web")
    with stalled(half_a_batch(scenario), impatient.plan.port) as connections:
        began_at = time.monotonic()
        send_one(scenario)
        assert time.monotonic() - began_at < TIMEOUT_SECONDS
        with scenario.load.sending(num_events):
            pass
        assert not scenario.load.ledger.troubles
        require_closed(connections, within_seconds=began_at + 3 * TIMEOUT_SECONDS - time.monotonic())
    assert wait_until(lambda: impatient.num_connections("web") <= sockets, timeout_seconds=5)
    assert wait_until(lambda: impatient.num_threads("web") <= threads + NUM_POOLED, timeout_seconds=20)
    scenario.require_exactly_once()


def test_clients_stall_in_the_middle_of_signing_in(impatient: Stack, scenario: Scenario) -> None:
    with stalled(half_a_form(impatient.plan.port), impatient.plan.port) as connections:
        began_at = time.monotonic()
        assert impatient.get(SIGN_IN)[0] == 200
        assert time.monotonic() - began_at < TIMEOUT_SECONDS
        require_closed(connections, within_seconds=3 * TIMEOUT_SECONDS)
    send_one(scenario)
    scenario.require_exactly_once()


@pytest.mark.alone
def test_a_client_that_trickles_has_no_more_time(impatient: Stack, scenario: Scenario) -> None:
    with stalled(half_a_batch(scenario), impatient.plan.port, count=1) as (connection,):
        began_at = time.monotonic()
        while not select.select([connection], [], [], 0.2)[0]:
            connection.sendall(b" ")
            assert time.monotonic() - began_at < TIMEOUT_SECONDS + SOME_SECONDS
        assert time.monotonic() - began_at > TIMEOUT_SECONDS - SOME_SECONDS, "there was room for it"
        require_closed([connection], within_seconds=SOME_SECONDS)
    send_one(scenario)
    scenario.require_exactly_once()


@pytest.mark.alone
def test_hundreds_of_stalled_forms_of_strangers_slow_down_nobody(impatient: Stack, scenario: Scenario) -> None:
    @contextmanager
    def stalled_forms() -> Iterator[None]:
        with stalled(half_a_form(impatient.plan.port), impatient.plan.port, count=NUM_STRANGERS):
            began_at = time.monotonic()
            yield
            answers_healthz_within(impatient, 0.5, times=20)
            held_for = time.monotonic() - began_at
            assert held_for < TIMEOUT_SECONDS, "the forms were given up before the end of the measurement"

    require_batches_go_on(scenario, stalled_forms, name="stalled forms")
    scenario.require_exactly_once()


def answers_healthz_within(stack: Stack, seconds: float, *, times: int) -> None:
    for _ in range(times):
        began_at = time.monotonic()
        assert stack.web_answers()
        assert time.monotonic() - began_at < seconds


def half_a_batch(scenario: Scenario) -> bytes:
    body = scenario.load.events.body(range(10_000_000, 10_000_200))
    return head(scenario.secret, len(body)) + body[: len(body) // 2]


def half_a_form(port: int) -> bytes:
    """A form that would pass the check of its token, up to the middle of an address."""
    web = http.client.HTTPConnection(HOST, port, timeout=10)
    web.request("GET", SIGN_IN)
    response = web.getresponse()
    assert response.status == 200
    cookie = str(response.headers["Set-Cookie"]).split(";", maxsplit=1)[0]
    web.close()
    body = f"csrfmiddlewaretoken={cookie.partition('=')[2]}&login=ada@fau"
    return (
        f"POST {SIGN_IN} HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\nContent-Length: 1000\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}"
    ).encode()


@contextmanager
def stalled(request: bytes, port: int, *, count: int = NUM_STALLED) -> Iterator[list[socket.socket]]:
    """Connections whose clients have sent a part of a request and do not go on."""
    with ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection((HOST, port))) for _ in range(count)]
        for connection in connections:
            connection.sendall(request)
        time.sleep(0.3)
        yield connections


def send_one(scenario: Scenario) -> None:
    """One event, acknowledged at the first attempt."""
    load = scenario.load
    number = load.num_wanted
    load.num_wanted += 1
    client = Client(load.port, scenario.secret, load.ledger)
    assert client.try_to_send(load.events.body([number]), [number]), load.ledger.troubles
    client.web.close()


def require_closed(connections: list[socket.socket], *, within_seconds: float) -> None:
    """The server has closed all of them, at most after telling that they took too long."""
    deadline = time.monotonic() + within_seconds
    for connection in connections:
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        received = b""
        try:
            while piece := connection.recv(4096):
                received += piece
        except ConnectionResetError:
            pass
        assert received.startswith(b"HTTP/1.1 408 ") or not received, received[:100]
