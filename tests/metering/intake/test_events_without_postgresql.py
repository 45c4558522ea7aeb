"""`POST /v1/usage/events` while PostgreSQL is away: 503, and a retry is stored once."""

import json
from collections.abc import Iterator

import pytest
from django.db import connection, connections

from metering.rollups import partitions
from tests.engine import (
    make_event,
    make_key,
    make_token,
    num_events,
    post,
    send,
)
from tests.world import World


@pytest.fixture
def reconnect(transactional_db: None) -> Iterator[None]:
    """Whatever the test did to its connection, the next one is another."""
    yield
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_without_postgresql_the_answer_is_503_and_the_retry_is_stored_once(world: World) -> None:
    token, key = make_token(), make_key(world.rita)
    event = make_event(api_key_id=key.public_id)
    body = [event, make_event(id="event-2", api_key_id=key.public_id)]
    assert send(event, token) == ["accepted"]
    host, connection.settings_dict["HOST"] = connection.settings_dict["HOST"], "/nowhere"
    connection.close()
    try:
        known = post(body, token)
        unknown = post(body, "it-not-seen-yet")
    finally:
        connection.settings_dict["HOST"] = host
        connection.close()
    for response in (known, unknown):
        assert (response.status_code, response["Retry-After"]) == (503, "1")
        assert json.loads(response.content)["error"]["code"] == "unavailable"
    assert send(body, token) == ["duplicate", "accepted"]
    assert num_events() == 2


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_died_unused_is_made_anew(world: World, reconnect: None) -> None:
    token, key = make_token(), make_key(world.rita)
    assert send(make_event(api_key_id=key.public_id), token) == ["accepted"]
    event = make_event(id="event-2", api_key_id=key.public_id)
    end_own_connection()
    assert send(event, token) == ["accepted"]
    assert num_events() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("forgets", ["DISCARD ALL", "DEALLOCATE ingest_lock"])
def test_a_connection_that_has_forgotten_our_statements_is_taught_again(
    world: World, reconnect: None, forgets: str
) -> None:
    token, key = make_token(), make_key(world.rita)
    assert send(make_event(api_key_id=key.public_id), token) == ["accepted"]
    with connection.cursor() as cursor:
        cursor.execute(forgets)
    assert send(make_event(id="event-2", api_key_id=key.public_id), token) == ["accepted"]
    assert num_events() == 2


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_breaks_in_the_transaction_is_503_and_loses_nothing(
    world: World, reconnect: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, key = make_token(), make_key(world.rita)
    assert send(make_event(api_key_id=key.public_id), token) == ["accepted"]
    events = [make_event(id="event-2", api_key_id=key.public_id)]
    with monkeypatch.context() as patched:
        patched.setattr(partitions, "require", lambda _: end_own_connection())
        assert post(events, token).status_code == 503
    assert num_events() == 1
    assert send(events, token) == ["accepted"]
    assert num_events() == 2


def end_own_connection() -> None:
    """As a restart of PostgreSQL would, unseen by this end."""
    backend = connection.connection.info.backend_pid
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
    finally:
        other.close()


@pytest.mark.django_db(transaction=True)
def test_a_database_that_takes_no_writes_is_503(world: World, reconnect: None) -> None:
    token, key = make_token(), make_key(world.rita)
    assert send(make_event(api_key_id=key.public_id), token) == ["accepted"]
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    response = post([make_event(id="event-2", api_key_id=key.public_id)], token)
    connection.close()
    assert (response.status_code, response["Retry-After"]) == (503, "1")
    assert num_events() == 1
