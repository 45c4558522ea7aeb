"""`apikeys.strangers`: secrets of nobody cost one query at most, and a flood of them costs none; others are not held up."""

import json
from typing import Any

import pytest
from django.test import Client

from accounts.changes import routing_change
from apikeys import directory
from apikeys.allowances import MAX_KEPT
from apikeys.keys import keys
from apikeys.models import IngestToken
from apikeys.strangers import Strangers, strangers
from tests.engine import ADDRESS, make_event, make_key, make_key_and_secret, make_token, num_events
from tests.world import World

VERIFY = "/v1/keys/verify"
LIMIT = 20


@pytest.fixture(autouse=True)
def few_strangers(settings: Any) -> None:
    settings.UNKNOWN_SECRETS_PER_MINUTE = LIMIT


def ask(secret: str, path: str = ADDRESS, *, events: Any = (), address: str = "192.0.2.1", **headers: str) -> int:
    """The status of the answer to a request that comes from this address."""
    body = json.dumps(list(events), default=str) if path == ADDRESS else json.dumps({"api_key_id": "key_x"})
    response = Client(REMOTE_ADDR=address).post(
        path, body, content_type="application/json", headers={"Authorization": f"Bearer {secret}", **headers}
    )
    return response.status_code


def flood(**request: Any) -> list[int]:
    return [ask(f"sk-unknown-{number}", **request) for number in range(LIMIT + 10)]


@pytest.mark.parametrize("path", [ADDRESS, VERIFY])
def test_a_secret_of_nobody_costs_one_query(db: None, django_assert_num_queries: Any, path: str) -> None:
    for secret in ("sk-unknown", "it-unknown", "anything"):
        with django_assert_num_queries(1):
            assert ask(secret, path) == 401


@pytest.mark.parametrize("path", [ADDRESS, VERIFY])
def test_a_flood_of_them_costs_nothing_more_and_is_told_to_wait(
    db: None, django_assert_num_queries: Any, path: str
) -> None:
    with django_assert_num_queries(LIMIT):
        assert flood(path=path) == [401] * LIMIT + [429] * 10
    response = Client(REMOTE_ADDR="192.0.2.1").post(
        path, "[]", content_type="application/json", headers={"Authorization": "Bearer sk-unknown"}
    )
    assert (response.status_code, response["Retry-After"]) == (429, "1")
    assert response["Content-Type"] == "application/json"


def test_known_callers_behind_the_same_address_go_on_also_after_a_change(world: World) -> None:
    token, (key, secret) = make_token(), make_key_and_secret(world.rita)
    events = [make_event(api_key_id=key.public_id)]
    assert ask(token, events=events) == ask(secret, events=events) == 200
    assert flood()[-1] == 429
    assert ask(token, events=events) == ask(secret, events=events) == 200
    directory.forget()  # as after a change to everybody
    assert ask(token, events=events) == ask(secret, events=events) == 200
    assert ask(token, VERIFY) == 200
    assert num_events() == 1


def test_others_are_not_limited_by_a_flood_from_elsewhere(world: World) -> None:
    flood()
    assert ask("sk-unknown", address="192.0.2.2") == 401
    assert ask(make_token(), address="192.0.2.2") == 200


def test_a_new_caller_behind_the_same_address_gets_through_before_long(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = make_token()
    flood()
    assert ask(token) == 429
    now = strangers._allowances._kept["192.0.2.1"].at
    monkeypatch.setattr("apikeys.allowances.monotonic", lambda: now + 60 / LIMIT + 0.1)
    assert ask(token) == 200
    assert ask("sk-unknown") == 401
    assert ask("sk-unknown") == 429


def test_a_secret_that_was_replaced_becomes_one_of_nobody(world: World, django_assert_num_queries: Any) -> None:
    token = make_token()
    assert ask(token) == 200
    IngestToken.objects.all().delete()
    directory.forget()
    for _ in range(3):
        with django_assert_num_queries(1):
            assert ask(token) == 401


def test_a_revoked_secret_is_refused_and_counts_for_nothing(world: World) -> None:
    token = make_token()
    with routing_change() as now:
        keys.revoke_ingest_token(token=IngestToken.objects.get(), now=now)
    assert [ask(token) for _ in range(LIMIT + 5)] == [401] * (LIMIT + 5)


def test_behind_a_proxy_the_clients_own_address_counts(world: World, settings: Any) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    statuses = flood(**{"X-Forwarded-For": "203.0.113.9, 198.51.100.1"})
    assert statuses[-1] == 429
    assert ask("sk-unknown", **{"X-Forwarded-For": "forged, 198.51.100.1"}) == 429
    assert ask("sk-unknown", **{"X-Forwarded-For": "203.0.113.9, 198.51.100.2"}) == 401


def test_who_has_a_network_of_ipv6_has_one_allowance(db: None) -> None:
    statuses = [ask("sk-unknown", address=f"2001:db8:0:1::{number}") for number in range(1, LIMIT + 2)]
    assert statuses == [401] * LIMIT + [429]
    assert ask("sk-unknown", address="2001:db8:0:2::1") == 401


def test_the_memory_of_addresses_is_bounded(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apikeys.strangers._is_stored", lambda _: False)
    own = Strangers()
    for number in range(MAX_KEPT + 100):
        own.is_somebodys(b"x", {"REMOTE_ADDR": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"})
    assert len(own._allowances) == MAX_KEPT


def test_without_a_limit_all_are_looked_up(db: None, settings: Any) -> None:
    settings.UNKNOWN_SECRETS_PER_MINUTE = 0
    assert set(flood()) == {401}


def test_unknown_keys_of_gateways_are_no_strangers(world: World) -> None:
    """A gateway asks about secrets of its own callers."""
    token = make_token()
    make_key(world.rita)
    assert {ask(token, VERIFY) for _ in range(LIMIT + 5)} == {200}
