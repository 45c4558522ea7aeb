"""Every example of the API page, run as it is copied, against a server."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.clock import database_now
from accounts.models import AuditEvent
from apikeys.models import OperatorToken
from apikeys.operatortokens.operatortokens import create_operator_token
from billing.alerts import Budget, BudgetKind
from billing.invoices import balance, invoices
from billing.refunds import BalanceRefund
from metering.models import UsageEvent
from tests.engine import make_key, make_token, roll_up
from tests.exports.openai_api.filled import make_admin_key
from tests.money import ACTOR, NOVEMBER, OCTOBER, at, close, release_held, set_price, use
from tests.usage.what_for import make_project
from tests.world import World
from usage_dashboard.apidocs.examples import Example
from usage_dashboard.apidocs.own import own_of
from usage_dashboard.apidocs.page import Call, sections
from usage_dashboard.apidocs.views import openai_example


@pytest.fixture
def server(live_server: LiveServer, world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> LiveServer:
    """With something at every address that Alice's examples name, and her secrets in the environment."""
    settings.SITE_ADDRESS = live_server.url
    scopes, now = list(OperatorToken.Scope.values), database_now()
    _, settings.OPERATOR_TOKEN = create_operator_token(name="Console", scopes=scopes, now=now)
    make_key(world.alice)
    make_project(world.acme, "Search")
    Budget.objects.create(organization=world.acme, kind=BudgetKind.ORGANIZATION, amount=100, is_hard=True)
    variables = {
        "ADMIN_KEY": make_admin_key(world.acme),
        "INGEST_TOKEN": make_token(),
        "OPERATOR_TOKEN": settings.OPERATOR_TOKEN,
        "NO_PROXY": "*",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return live_server


@pytest.fixture
def paid_too_much(world: World) -> None:
    """Acme's first invoice is paid, and the second gave it a balance."""
    set_price("m", "0.01")
    use(world.acme, "2026-10-02", "m", input_tokens=3000)
    [october] = close(OCTOBER)
    invoices.mark_paid(october, actor=ACTOR, now=at("2026-11-10"))
    use(world.acme, "2026-10-02", "m", input_tokens=-2000)
    close(NOVEMBER)
    release_held(at("2026-12-04"))
    assert balance.balance_of(world.acme.pk) >= Decimal("12.50")


def run(example: Example, directory: Path) -> str:
    """What it prints. It must end well."""
    if example.title == "Python":
        (directory / "example.py").write_text(example.text)
        command = [sys.executable, "example.py"]
    else:
        (directory / "example.sh").write_text(
            example.text.replace("curl ", "curl --silent --show-error --fail-with-body ", 1)
        )
        command = ["sh", "example.sh"]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, cwd=directory, env=dict(os.environ)
    )
    assert done.returncode == 0, f"{example.text}\n{done.stdout}\n{done.stderr[-600:]}"
    return done.stdout


def calls_of(world: World) -> list[Call]:
    return [call for section in sections(own_of(world.alice, database_now())) for call in section.calls]


def test_each_is_answered_and_refuses_nothing(
    server: LiveServer, world: World, paid_too_much: None, tmp_path: Path
) -> None:
    for call in calls_of(world):
        for example in call.examples:
            assert "…" not in example.text, example.text
            answer = run(example, tmp_path)
            assert '"rejected":1' not in answer, f"{example.text}\n{answer}"
            if "application/json" in call.answer_types:
                assert isinstance(json.loads(answer), dict)


def test_a_write_that_is_said_again_changes_nothing(
    server: LiveServer, world: World, paid_too_much: None, tmp_path: Path
) -> None:
    writes = [call.examples[0] for call in calls_of(world) if call.method != "GET" and call.examples]

    def stored() -> list[int]:
        for example in writes:
            run(example, tmp_path)
        return [rows.objects.count() for rows in (UsageEvent, BalanceRefund, AuditEvent)]

    assert stored() == stored()


def test_usage_that_examples_sent_is_what_examples_read(server: LiveServer, world: World, tmp_path: Path) -> None:
    calls = {call.path: call for call in calls_of(world)}
    for path in ("/v1/usage/events", "/v1/usage/responses", "/v1/integrations/litellm", "/v1/traces", "/api/v1/events"):
        for example in calls[path].examples:
            run(example, tmp_path)
    roll_up()
    for example in calls["/v1/organization/usage/completions"].examples:
        page = json.loads(run(example, tmp_path))
        results = [result for bucket in page["data"] for result in bucket["results"]]
        assert sum(result["input_tokens"] for result in results) == 5 * 1200
    printed = run(Example("Python", openai_example(own_of(world.alice, database_now()))), tmp_path)
    assert "gpt-4o 6000 425" in printed
