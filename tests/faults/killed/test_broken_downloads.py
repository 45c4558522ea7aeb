"""An export is whole or it is an error, whatever becomes of PostgreSQL, and a client that is slow holds up nobody."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from typing import Final

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from accounts.clock import database_now
from accounts.models import Organization, User
from exports.columns import INCOMPLETE
from metering.measures import MEASURES
from metering.models import DailyUsage
from tests.faults.harness import HOST, Stack
from tests.faults.proof import Scenario
from tests.usage.rollup_rows import sku_of
from usage_dashboard.machine.processes import wait_until

pytestmark = pytest.mark.faults
NUM_ROWS: Final = 100_000  # 15 MB: more than all the buffers on the way take
NUM_DOWNLOADS: Final = 4  # twice as many as web has threads
RECEIVE_BUFFER_BYTES: Final = 32_768
EXPORTING_SQL: Final = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


@pytest.fixture
def request_head(stack: Stack, scenario: Scenario) -> Iterator[tuple[str, dict[str, str]]]:
    """Address and headers of a big export; web has two threads in all."""
    user = User.objects.get(pk=scenario.user_id)
    assert user.default_organization is not None
    day = database_now().date() - timedelta(days=40)
    make_rows(user.default_organization, day)
    stack.stop("web")
    stack.start("web", environment={"SECRET_KEY": settings.SECRET_KEY, "WEB_THREADS": "1", "DEBUG": "1"})
    browser = Client()
    browser.force_login(user)
    path = reverse("exports:activity", kwargs={"slug": user.default_organization.slug})
    cookie = f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"
    yield f"{path}?start={day}&end={day + timedelta(days=1)}", {"Cookie": cookie}
    DailyUsage.objects.filter(organization_id=user.default_organization.pk).delete()
    stack.stop("web")
    stack.start("web")


def test_an_export_that_loses_its_database_is_an_error_and_no_file(
    stack: Stack, request_head: tuple[str, dict[str, str]]
) -> None:
    path, headers = request_head
    with ExitStack() as exits:
        others = [exits.enter_context(connected(stack)) for _ in range(20)]
        for other in others:
            require_answer(other)
        web = exits.enter_context(connected(stack))
        with stack.locked("metering_dailyusage"):
            web.request("GET", path, headers=headers)
            end_its_database_connection(stack)
        response = web.getresponse()
        text = response.read().decode()
        assert (response.status, response.headers["Content-Type"]) == (500, "text/plain; charset=utf-8")
        assert INCOMPLETE not in text
        assert "Try again" in text
        for other in others:
            require_answer(other)  # over the same connection as before


def test_exports_that_nobody_reads_hold_no_thread_and_are_whole_in_the_end(
    stack: Stack, request_head: tuple[str, dict[str, str]]
) -> None:
    path, headers = request_head
    with ExitStack() as exits:
        downloads = [exits.enter_context(connected(stack)) for _ in range(NUM_DOWNLOADS)]
        for web in downloads:
            web.request("GET", path, headers=headers)
        responses = [web.getresponse() for web in downloads]
        assert stack.get("/accounts/login/")[0] == 200
        for response in responses:
            text = response.read().decode()
            assert (response.status, response.headers["Content-Length"]) == (200, str(len(text.encode())))
            assert text.count("\r\n") == NUM_ROWS + 1
            assert INCOMPLETE not in text


def make_rows(organization: Organization, day: date) -> None:
    """Usage of one day by people who are no more."""
    key = {"organization_id": organization.pk, "day": day, "api_key_id": 0, "sku_id": sku_of("gpt-4o").pk}
    amounts = {**dict.fromkeys(MEASURES, 0), "num_model_requests": 1}
    DailyUsage.objects.bulk_create(
        (DailyUsage(**key, **amounts, user_id=1_000_000 + number) for number in range(NUM_ROWS)), batch_size=5_000
    )


@contextmanager
def connected(stack: Stack) -> Iterator[http.client.HTTPConnection]:
    """A client that takes little at a time."""
    web = http.client.HTTPConnection(HOST, stack.plan.port, timeout=30)
    web.sock = socket.socket()
    web.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    web.sock.connect((HOST, stack.plan.port))
    web.auto_open = 0
    try:
        yield web
    finally:
        web.close()


def require_answer(web: http.client.HTTPConnection) -> None:
    web.request("GET", "/healthz")
    response = web.getresponse()
    assert (response.status, bool(response.read())) == (200, True)


def end_its_database_connection(stack: Stack) -> None:
    """Wait until the export waits for its rows, and end its connection with PostgreSQL."""
    assert wait_until(lambda: len(stack.rows(EXPORTING_SQL)) == 1, timeout_seconds=20), "no export waits"
    ((backend,),) = stack.rows(EXPORTING_SQL)
    assert stack.rows("SELECT pg_terminate_backend(%s, 5000)", [backend]) == [(True,)]
