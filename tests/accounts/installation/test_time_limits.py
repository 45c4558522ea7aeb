"""Statements and idle transactions of web and workers end after a while; what is long by design has longer."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.conf import settings as installed
from django.db import OperationalError, connection, connections, transaction
from pytest_django import Settings

from accounts.installation import time_limits
from billing.invoices import balance
from metering.rollups import run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def limited(settings: Settings) -> Iterator[None]:
    """This process's connections have the limits of a worker."""
    settings.DATABASE_STATEMENT_TIMEOUT_SECONDS = 0.2
    settings.DATABASE_IDLE_TRANSACTION_TIMEOUT_SECONDS = 5
    options = connections.settings["default"]["OPTIONS"]
    before = dict(options)
    time_limits.limit_connections()
    connection.close()
    yield
    options.clear()
    options.update(before)
    connection.close()


def shown(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return str(cursor.fetchone()[0])


def test_no_statement_waits_for_its_compilation(limited: None) -> None:
    assert shown("jit") == "off"


def test_a_statement_that_takes_too_long_is_ended(limited: None) -> None:
    assert (shown("statement_timeout"), shown("idle_in_transaction_session_timeout")) == ("200ms", "5s")
    with pytest.raises(OperationalError, match="statement timeout"), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(2)")


def test_what_is_long_by_design_may_take_long_until_its_transaction_ends(limited: None) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        run.lock(cursor, wait=True)
        cursor.execute("SELECT pg_sleep(0.3)")
        assert shown("statement_timeout") == "1h"
    with transaction.atomic():
        balance.lock(1)
        assert shown("statement_timeout") == "1h"
    assert shown("statement_timeout") == "200ms"


def test_a_connection_whose_other_end_vanished_does_not_stay(limited: None) -> None:
    assert shown("statement_timeout") == "200ms"  # PostgreSQL has taken all of the options
    assert "-c tcp_keepalives_idle=30 " in connection.get_connection_params()["options"]


def test_an_operators_own_options_hold(limited: None, settings: Settings) -> None:
    connections.settings["default"]["OPTIONS"]["options"] = "-c statement_timeout=7s"
    time_limits.limit_connections()
    connection.close()
    assert shown("statement_timeout") == "7s"


@pytest.mark.parametrize(
    ("program", "limit"),
    [
        ("import usage_dashboard.wsgi", "1min"),
        ("from celery.signals import worker_init; worker_init.send(None)", "1min"),
        ("", "0"),
    ],
    ids=["web", "worker", "command"],
)
def test_web_and_workers_have_limits_and_commands_have_none(program: str, limit: str) -> None:
    where = connection.settings_dict
    script = (
        f"import django; django.setup(); {program or 'pass'}\n"
        "from django.db import connection\n"
        f"connection.settings_dict['NAME'] = {where['NAME']!r}\n"
        "cursor = connection.cursor(); cursor.execute('SHOW statement_timeout'); print(cursor.fetchone()[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=installed.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "usage_dashboard.settings"},
    )
    assert done.stdout.strip() == limit
