"""Operator tokens: how long they open, how often, and the commands that make and revoke them."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from pytest_django import Settings

from accounts.clock import database_now
from apikeys.models import OperatorToken
from apikeys.operatortokens.operatortokens import create_operator_token
from tests.provisioning import Operator, operator, refusal
from tests.world import World


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue().strip()


def test_an_expired_token_opens_nothing(db: None) -> None:
    now = database_now()
    _, secret = create_operator_token(name="CRM", scopes=["read"], now=now, expires_at=now - timedelta(seconds=1))
    assert refusal(Operator(secret).get("users")) == (401, "invalid_operator_token")


def test_beyond_its_limit_a_token_waits_for_the_next_minute(db: None, settings: Settings) -> None:
    settings.OPERATOR_TOKEN_REQUESTS_PER_MINUTE = 1
    program = operator()
    answers = [program.get("users") for _ in range(3)]  # two of them at least in one minute
    assert (429, "rate_limit_exceeded") in [refusal(answer) for answer in answers if answer[0] != 200]
    assert OperatorToken.objects.get().num_in_minute == 1


def test_the_command_prints_the_token_alone(db: None) -> None:
    secret = run("create_operator_token", "CRM", "--scope", "users", "--days", "7")
    token = OperatorToken.objects.get()
    assert token.scopes == ["users"]
    assert token.expires_at is not None
    assert Operator(secret).get("users")[0] == 200
    assert refusal(Operator(secret).get("organizations")) == (403, "missing_scope")
    run("create_operator_token", "Everything")
    assert OperatorToken.objects.get(name="Everything").scopes == sorted(OperatorToken.Scope.values)


def test_the_command_lists_and_revokes(db: None) -> None:
    secret = run("create_operator_token", "CRM")
    assert "in use" in run("revoke_operator_token")
    assert "is revoked" in run("revoke_operator_token", "CRM")
    assert refusal(Operator(secret).get("users")) == (401, "invalid_operator_token")
    with pytest.raises(CommandError, match="No token in use"):
        run("revoke_operator_token", "CRM")
    for days in ("0", "4000"):
        with pytest.raises(CommandError, match="--days"):
            run("create_operator_token", "CRM", "--days", days)


def test_the_database_knows_the_scopes(world: World) -> None:
    for scopes in ([], ["everything"]):
        with pytest.raises(IntegrityError), transaction.atomic():
            create_operator_token(name="CRM", scopes=scopes, now=database_now())
