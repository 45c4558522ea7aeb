"""`apikeys.keys.last_use`: the keys page says when a key was last used, without an update for every event."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.clock import database_now
from apikeys.keys import last_use
from tests.engine import make_event, make_key, make_token, send
from tests.world import World


def test_a_key_that_is_used_shows_when(world: World) -> None:
    key, unused = make_key(world.rita), make_key(world.rita, "Unused")
    before = database_now()
    send([make_event(api_key_id=key.public_id)], make_token())
    key.refresh_from_db()
    unused.refresh_from_db()
    assert key.last_used_at is not None
    assert before <= key.last_used_at <= database_now()
    assert unused.last_used_at is None


def test_uses_close_together_are_written_once(world: World) -> None:
    key, token = make_key(world.rita), make_token()
    send([make_event(id="first", api_key_id=key.public_id)], token)
    with CaptureQueriesContext(connection) as queries:
        send([make_event(id="second", api_key_id=key.public_id)], token)
    assert not [query for query in queries if "last_used_at =" in query["sql"]]


def test_a_key_that_nobody_has_is_not_noted(world: World) -> None:
    send([make_event(api_key_id="key_unknown")], make_token())
    last_use.note([])
    assert not world.rita.api_keys.exists()
