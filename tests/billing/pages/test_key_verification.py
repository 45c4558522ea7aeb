"""`POST /v1/keys/verify`: what gateways are told, at once and at the cost of one look-up."""

import json
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.audit.audit import Actor
from accounts.changes import routing_change
from accounts.clock import database_now
from accounts.models import Organization, User
from accounts.organizations import organizations
from apikeys import secrets
from apikeys.keys import keys
from apikeys.models import APIKey, IngestToken
from billing.budgets import blocks, budgets
from billing.models import LineItem
from tests.usage.rollup_rows import add_cost, sku_of
from tests.world import World, join

ADDRESS = "/v1/keys/verify"
TRACKED_SINCE = datetime(2024, 1, 1, tzinfo=UTC)
OLD = datetime(2023, 6, 1, tzinfo=UTC)
FIELDS = ["valid", "allowed", "api_key_id", "user_id", "organization", "tracked", "reason", "budget", "message"]


@pytest.fixture
def token(db: None) -> str:
    _, secret = keys.create_ingest_token(name="gateway")
    return secret


def make_key(user: User, **options: Any) -> tuple[APIKey, str]:
    return keys.create_api_key(user=user, name="Laptop", **{"created_at": TRACKED_SINCE, **options})


def ask(token: str | None, status: int = 200, **question: object) -> dict[str, Any]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    response = Client().post(ADDRESS, json.dumps(question), content_type="application/json", headers=headers)
    assert response.status_code == status, response.content
    answer = json.loads(response.content)
    assert isinstance(answer, dict)
    return answer


def test_a_good_key_is_valid_with_its_user_and_where_its_usage_counts(world: World, token: str) -> None:
    api_key, secret = make_key(world.rita)
    expected = {
        "valid": True,
        "allowed": True,
        "api_key_id": api_key.public_id,
        "user_id": world.rita.public_id,
        "organization": world.acme.public_id,
        "tracked": True,
        "reason": None,
        "budget": None,
        "message": None,
    }
    assert ask(token, key=secret) == expected
    assert ask(token, api_key_id=api_key.public_id) == expected


def test_an_old_key_is_valid_and_untracked(world: World, token: str) -> None:
    _, secret = make_key(world.rita, created_at=OLD)
    answer = ask(token, key=secret)
    assert answer["allowed"]
    assert not answer["tracked"]


def test_a_named_organization_is_where_it_counts_and_there_the_key_is_untracked(world: World, token: str) -> None:
    _, secret = make_key(world.rita)
    join(world.rita, world.labs, role="reader")
    answer = ask(token, key=secret, organization=world.labs.public_id)
    assert (answer["organization"], answer["tracked"], answer["allowed"]) == (world.labs.public_id, False, True)


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_field_that_is_null_or_empty_is_the_same_as_none(world: World, token: str, nothing: str | None) -> None:
    api_key, secret = make_key(world.rita)
    expected = ask(token, key=secret)
    assert ask(token, key=secret, api_key_id=nothing, organization=nothing) == expected
    assert ask(token, key=nothing, api_key_id=api_key.public_id, organization=nothing) == expected


@pytest.mark.parametrize("named", ["other", "nowhere"])
def test_an_organization_that_the_user_is_not_in_is_refused(world: World, token: str, named: str) -> None:
    _, secret = make_key(world.rita)
    organization = world.other.public_id if named == "other" else "org_nowhere"
    answer = ask(token, key=secret, organization=organization)
    assert answer["valid"]
    assert not answer["allowed"]
    assert answer["reason"] == "not_a_member"
    assert answer["organization"] is None


def test_unknown_keys_get_one_answer_whatever_is_asked(world: World, token: str) -> None:
    unknown: list[dict[str, Any]] = [
        {"key": secrets.make_api_key_secret()},
        {"key": "x"},
        {"key": token},
        {"api_key_id": "key_nobody"},
        {"key": secrets.make_api_key_secret(), "organization": world.acme.public_id},
    ]
    answers = [ask(token, **question) for question in unknown]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["reason"] == "unknown_key"
    assert list(answers[0]) == FIELDS


def test_a_revocation_holds_for_the_very_next_question(world: World, token: str) -> None:
    api_key, secret = make_key(world.rita)
    assert ask(token, key=secret)["valid"]
    with routing_change() as now:
        keys.revoke_api_key(api_key=api_key, now=now)
    answer = ask(token, key=secret)
    assert (answer["valid"], answer["allowed"], answer["reason"]) == (False, False, "revoked")


def test_a_key_expires_by_the_databases_clock(world: World, token: str) -> None:
    _, secret = make_key(world.rita, expires_at=database_now() + timedelta(seconds=0.3))
    assert ask(token, key=secret)["valid"]
    time.sleep(0.35)
    assert ask(token, key=secret)["reason"] == "expired"


def test_a_rotated_key_and_its_successor_are_valid_during_the_overlap(world: World, token: str) -> None:
    api_key, old = make_key(world.rita)
    with routing_change() as now:
        new = keys.rotate_api_key(api_key=api_key, overlap=timedelta(hours=1), now=now)
    assert ask(token, key=old)["valid"]
    assert ask(token, key=new)["valid"]


def test_switches_hold_for_the_very_next_question(world: World, token: str) -> None:
    api_key, secret = make_key(world.rita)
    join(world.rita, world.labs, role="reader")
    assert ask(token, key=secret)["tracked"]
    with routing_change() as now:
        keys.set_tracking(api_key=api_key, tracked=False, now=now)
    assert not ask(token, key=secret)["tracked"]
    with routing_change() as now:
        organizations.set_default_organization(user=world.rita, organization=world.labs, now=now)
    assert ask(token, key=secret)["organization"] == world.labs.public_id


def spend(organization: Organization, dollars: str) -> None:
    add_cost((organization, database_now().date(), sku_of("gpt-4o")), LineItem.INPUT, 1, dollars)


@pytest.mark.parametrize(("is_hard", "allowed"), [(True, False), (False, True)])
def test_a_hard_budget_that_is_spent_ends_the_use_of_the_api(
    world: World, token: str, is_hard: bool, allowed: bool
) -> None:
    _, secret = make_key(world.rita)
    spend(world.acme, "11")
    budgets.set_budget(world.acme, amount=Decimal(10), thresholds=[100], is_hard=is_hard, actor=Actor())
    blocks.forget()
    answer = ask(token, key=secret)
    assert answer["valid"]
    assert answer["allowed"] is allowed
    assert (answer["reason"] == "budget_exhausted") is not allowed
    blocks.forget()


@pytest.mark.parametrize(
    "question",
    [{}, {"key": ""}, {"key": "a", "api_key_id": "b"}, {"key": "x" * 513}, {"api_key_id": []}],
)
def test_a_bad_question_is_a_400_with_a_sentence(token: str, question: dict[str, object]) -> None:
    answer = ask(token, 400, **question)
    assert answer["error"]["code"] == "invalid"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"sk-x"', b'{"key": "a\\u0000b"}', b'{"key": "\\ud800"}', b"\xff"])
def test_an_unreadable_body_is_a_400_that_repeats_nothing_of_it(token: str, body: bytes) -> None:
    response = Client().post(
        ADDRESS, body, content_type="application/json", headers={"Authorization": f"Bearer {token}"}
    )
    assert response.status_code == 400
    assert b"sk-x" not in response.content


def test_only_an_ingest_token_may_ask(world: World, token: str) -> None:
    _, secret = make_key(world.rita)
    refused = [ask(wrong, 401, key=secret) for wrong in (None, "", "it-unknown", secret)]
    IngestToken.objects.update(revoked_at=database_now())
    with routing_change():
        pass
    refused.append(ask(token, 401, key=secret))
    assert all(answer == refused[0] for answer in refused)


def test_the_second_question_costs_one_query(world: World, token: str) -> None:
    _, secret = make_key(world.rita)
    ask(token, key=secret)
    with CaptureQueriesContext(connection) as queries:
        ask(token, key=secret)
    assert len(queries) == 1


def test_answers_are_not_cached_by_anyone_else(world: World, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    response = Client().post(ADDRESS, '{"key": "x"}', content_type="application/json", headers=headers)
    assert response["Cache-Control"] == "no-store"
