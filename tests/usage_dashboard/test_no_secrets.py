"""Secrets appear in no log, page, email, error report and no column of the database."""

import logging
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client, RequestFactory
from django.views.debug import get_exception_reporter_class

from accounts.changes import routing_change
from accounts.models import User
from apikeys.keys import keys
from apikeys.models import APIKey
from tests.engine import make_event, post, send
from tests.world import World

SignIn = Callable[[User], Client]
PAGE = "/settings/api-keys/"
SECRET = re.compile(r"(?:sk|sk-admin|it)-[0-9A-Za-z]{40}")
PAGES = (
    PAGE,
    "/settings/organization/acme/keys/",
    "/settings/organization/acme/admin-keys/",
    "/settings/organization/acme/audit/",
    "/settings/organization/acme/usage/why/",
    "/settings/organization/acme/usage/activity/",
    "/admin/apikeys/adminkey/",
    "/admin/apikeys/apikey/",
    "/admin/apikeys/ingesttoken/",
    "/admin/accounts/auditevent/",
)


@pytest.fixture
def secrets_in_use(world: World, client_of: SignIn, caplog: pytest.LogCaptureFixture) -> set[str]:
    """Secrets that were made, rotated, verified, used and mistyped through every way in."""
    caplog.set_level(logging.DEBUG)
    client = client_of(world.rita)
    made = SECRET.findall(client.post(PAGE, {"name": "Laptop"}, follow=True).content.decode())
    api_key = APIKey.objects.get()
    address = f"{PAGE}{api_key.public_id}/"
    client.post(f"{address}rotation/", {"overlap_hours": "1"})
    made += SECRET.findall(client.get(f"{address}secret/").content.decode())
    client.post(f"{address}rotation/", {"overlap_hours": "1", "ends_earlier": "on"})  # and nobody looks at this one
    _, token = keys.create_ingest_token(name="gateway")
    made.append(token)
    admin_page = "/settings/organization/acme/admin-keys/"
    new = {"name": "Grafana", "scopes": "usage"}
    made += SECRET.findall(client_of(world.alice).post(admin_page, new, follow=True).content.decode())
    unknown = "sk-" + "u" * 40
    for secret in (made[0], made[1], made[-1], unknown):
        verify(token, {"key": secret})
        verify(secret, {"key": secret})
        verify(token, {"key": secret, "api_key_id": secret})
        post([make_event()], secret)
        client.post(PAGE, {"name": f"my {secret}"})
        client.post(f"{address}name/", {"name": secret})
        client.get("/settings/organization/acme/audit/", {"text": secret})
    send([make_event(id="again", api_key_id=api_key.public_id)], token)
    with routing_change() as now:
        keys.revoke_api_key(api_key=api_key, now=now)
    assert len(set(made)) == 4
    return {*made, unknown}


def verify(token: str, question: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    answer = Client().post("/v1/keys/verify", question, content_type="application/json", headers=headers)
    assert not SECRET.search(answer.content.decode())


def columns() -> list[tuple[str, str]]:
    """Every column of every table in which a secret could lie."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(table_name), quote_ident(column_name) FROM information_schema.columns"
            " WHERE table_schema = 'public'"
            " AND data_type IN ('text', 'character varying', 'character', 'bytea', 'json', 'jsonb', 'ARRAY')"
        )
        return [(str(table), str(column)) for table, column in cursor.fetchall()]


def holds(table: str, column: str, needles: set[str]) -> bool:
    """Whether a row has one of the needles in this column: as text, or as bytes."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT FROM {table} WHERE {column}::text LIKE ANY(%s) OR {column}::text LIKE ANY(%s))",
            [[f"%{needle}%" for needle in needles], [f"%{needle.encode().hex()}%" for needle in needles]],
        )
        (found,) = cursor.fetchone()
    return bool(found)


def test_no_column_of_the_database_holds_a_secret(secrets_in_use: set[str]) -> None:
    searched = columns()
    assert ("apikeys_apikey", "name") in searched
    assert ("accounts_auditevent", "details") in searched
    assert len(searched) > 60
    random_parts = {secret.rpartition("-")[2] for secret in secrets_in_use}
    assert [where for where in searched if holds(*where, random_parts)] == []


def test_the_search_of_the_database_finds_what_is_there(secrets_in_use: set[str]) -> None:
    hidden = next(iter(secrets_in_use))
    APIKey.objects.update(name=f"x {hidden}")
    assert holds("apikeys_apikey", "name", secrets_in_use)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE leak (bytes bytea) ON COMMIT DROP")
        cursor.execute("INSERT INTO leak VALUES (%s)", [hidden.encode()])
    assert holds("leak", "bytes", secrets_in_use)


def test_no_log_and_no_email_holds_a_secret(secrets_in_use: set[str], caplog: pytest.LogCaptureFixture) -> None:
    logged = "\n".join(
        record.getMessage()
        for record in caplog.records
        # With DEBUG alone Django's own logger prints queries; production never does.
        if record.name != "django.db.backends"
    )
    sent = "\n".join(str(message.message()) for message in mail.outbox)
    for secret in secrets_in_use:
        assert secret not in logged
        assert secret not in sent


def test_no_page_shows_a_secret_again(world: World, secrets_in_use: set[str], client_of: SignIn) -> None:
    User.objects.filter(pk=world.alice.pk).update(is_staff=True, is_superuser=True)
    for user in (world.alice, world.rita):
        client = client_of(User.objects.get(pk=user.pk))
        for page in PAGES:
            html = client.get(page).content.decode()
            assert not any(secret in html for secret in secrets_in_use), page


@pytest.mark.parametrize("debug", [True, False])
def test_no_error_report_shows_the_header_or_the_body(settings: Any, debug: bool) -> None:
    settings.DEBUG = debug
    secret = "sk-" + "e" * 40
    request = RequestFactory().post(
        "/v1/keys/verify",
        {"key": secret, "name": f"my {secret}", "password1": secret},
        headers={"Authorization": f"Bearer {secret}"},
    )
    make_reporter: Any = get_exception_reporter_class(request)
    reporter = make_reporter(request, *_raised(secret))
    reports = [reporter.get_traceback_text(), reporter.get_traceback_html()]
    for report in reports:
        assert secret not in report


def _raised(header: str) -> tuple[Any, Any, Any]:
    """An exception whose frame has the secret in variables with harmless names."""
    pieces = {"a": [header]}
    try:
        assert pieces
        int("something else")
    except ValueError as error:
        return type(error), error, error.__traceback__
    raise AssertionError


def test_the_overlap_ends_by_itself(world: World) -> None:
    api_key, old = keys.create_api_key(user=world.rita, name="Laptop", created_at=world.rita.created_at)
    with routing_change() as now:
        keys.rotate_api_key(api_key=api_key, overlap=timedelta(0), now=now)
    assert post([make_event()], old).status_code == 401
