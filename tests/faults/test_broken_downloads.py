"""An export that PostgreSQL breaks off on the way is seen to be incomplete: in the file, and by the client."""

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
from tests.rollup_rows import sku_of
from usage_dashboard.processes import wait_until

pytestmark = pytest.mark.faults
NUM_ROWS: Final = 100_000  # 15 MB: more than all the buffers on the way take
RECEIVE_BUFFER_BYTES: Final = 32_768
STUCK_SQL: Final = """
SELECT pid FROM pg_stat_activity
WHERE query LIKE 'FETCH%' AND state = 'idle in transaction' AND state_change < clock_timestamp() - interval '500 ms'
"""


@pytest.fixture
def download(stack: Stack, scenario: Scenario) -> Iterator[http.client.HTTPConnection]:
    """A request for a big export, whose answer nobody has read yet."""
    user = User.objects.get(pk=scenario.user_id)
    assert user.default_organization is not None
    day = database_now().date() - timedelta(days=40)
    make_rows(user.default_organization, day)
    stack.stop("web")
    stack.start("web", environment={"SECRET_KEY": settings.SECRET_KEY})
    with connected(stack) as web:
        browser = Client()
        browser.force_login(user)
        path = reverse("exports:activity", kwargs={"slug": user.default_organization.slug})
        cookie = f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"
        web.request("GET", f"{path}?start={day}&end={day + timedelta(days=1)}", headers={"Cookie": cookie})
        yield web
    DailyUsage.objects.filter(organization_id=user.default_organization.pk).delete()
    stack.stop("web")
    stack.start("web")


def test_a_download_that_loses_its_database_is_seen_to_be_incomplete(
    stack: Stack, download: http.client.HTTPConnection
) -> None:
    with ExitStack() as exits:
        others = [exits.enter_context(connected(stack)) for _ in range(20)]
        for other in others:
            require_answer(other)
        response = download.getresponse()
        assert response.status == 200
        end_its_database_connection(stack)
        with pytest.raises(http.client.IncompleteRead) as broken:
            response.read()
        assert broken.value.partial.decode().endswith(f"{INCOMPLETE}\r\n")
        for other in others:
            require_answer(other)  # over the same connection as before


def test_a_download_that_nothing_breaks_is_whole(download: http.client.HTTPConnection) -> None:
    response = download.getresponse()
    assert response.status == 200
    text = response.read().decode()
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
    """Wait until the download waits for its client, and end its connection with PostgreSQL."""
    assert wait_until(lambda: len(stack.rows(STUCK_SQL)) == 1, timeout_seconds=20), "nothing waits for its client"
    ((backend,),) = stack.rows(STUCK_SQL)
    assert stack.rows("SELECT pg_terminate_backend(%s, 5000)", [backend]) == [(True,)]
