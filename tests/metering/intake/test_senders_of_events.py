"""`POST /v1/usage/events`: who may send usage, and of which keys."""

import json
from datetime import timedelta

import pytest

from accounts.changes import routing_change
from accounts.clock import database_now
from apikeys.keys import keys
from apikeys.models import APIKey, IngestToken
from metering.models import Model, UsageEvent
from tests.engine import (
    case_name,
    error_of,
    make_event,
    make_key,
    make_key_and_secret,
    num_events,
    post,
    send,
)
from tests.world import World


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer it-unknown",
        "Bearer sk-unknown",
        "Bearer " + "x" * 10_000,
        "Bearer it-\x00",
        "Bearer ключ",
        "bearer\tit-unknown",
    ],
    ids=case_name,
)
def test_without_a_valid_secret_nobody_is_let_in(key: APIKey, token: str, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    response = post([make_event(api_key_id=key.public_id)], None, **headers)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert json.loads(response.content)["error"]["code"] == "unauthenticated"
    assert num_events() == 0


def test_strangers_learn_nothing_about_their_events(db: None) -> None:
    assert error_of(b"not json", "it-unknown") == (401, "unauthenticated")


def test_a_token_works_until_it_is_revoked_and_not_once_more(token: str, key: APIKey) -> None:
    assert send(make_event(api_key_id=key.public_id), token) == ["accepted"]
    with routing_change() as now:
        keys.revoke_ingest_token(token=IngestToken.objects.get(), now=now)
    assert error_of(make_event(id="event-2", api_key_id=key.public_id), token) == (401, "unauthenticated")


def test_a_key_works_until_it_is_revoked_and_not_once_more(world: World) -> None:
    api_key, secret = make_key_and_secret(world.rita)
    assert send(make_event(), secret) == ["accepted"]
    with routing_change() as now:
        keys.revoke_api_key(api_key=api_key, now=now)
    assert error_of(make_event(id="event-2"), secret) == (401, "unauthenticated")


def test_an_expired_key_opens_nothing(world: World) -> None:
    now = database_now()
    _, expired = make_key_and_secret(world.rita, expires_at=now - timedelta(seconds=1))
    _, valid = make_key_and_secret(world.rita, expires_at=now + timedelta(hours=1))
    assert error_of(make_event(), expired) == (401, "unauthenticated")
    assert send(make_event(), valid) == ["accepted"]


def test_who_may_not_send_any_more_leaves_no_model_behind(token: str, key: APIKey) -> None:
    with routing_change() as now:
        keys.revoke_ingest_token(token=IngestToken.objects.get(), now=now)
    post(make_event(api_key_id=key.public_id, model="leftover"), token)
    assert not Model.objects.filter(name="leftover").exists()


def test_a_key_reports_its_own_usage_and_no_others(world: World, key: APIKey) -> None:
    own, secret = make_key_and_secret(world.rita)
    events = [
        make_event(id="unnamed"),
        make_event(id="own", api_key_id=own.public_id),
        make_event(id="other", api_key_id=key.public_id),
        make_event(id="unknown", api_key_id="key_unknown"),
    ]
    assert send(events, secret) == ["accepted", "accepted", "forbidden_api_key", "forbidden_api_key"]
    assert set(UsageEvent.objects.values_list("api_key_id", flat=True)) == {own.id}


def test_a_new_key_is_known_at_once(token: str, world: World) -> None:
    assert send(make_event(api_key_id="key_none"), token) == ["unknown_api_key"]
    assert send(make_event(api_key_id=make_key(world.rita).public_id), token) == ["accepted"]
