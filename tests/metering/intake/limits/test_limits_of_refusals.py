"""`apikeys.refusals`: a key of which most is refused is not read any more for a while; others are, and so are gateways."""

import json
from collections import Counter
from time import monotonic
from typing import Any

import pytest

from apikeys import refusals
from tests.engine import make_event, make_key, make_key_and_secret, num_events, post, send
from tests.world import World

LIMIT = 1_000


@pytest.fixture(autouse=True)
def few(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands still: however slow the machine, nothing grows back between two requests."""
    settings.API_KEY_REFUSED_EVENTS_PER_MINUTE = LIMIT
    now = monotonic()
    monkeypatch.setattr("apikeys.allowances.monotonic", lambda: now)


@pytest.fixture
def secret(world: World) -> str:
    """Of a key of Rita's."""
    return make_key_and_secret(world.rita)[1]


def corrections(count: int) -> list[dict[str, Any]]:
    return [make_event(id=f"c-{number}", corrects="never-existed", input_tokens=-1) for number in range(count)]


def many(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [make_event(id=f"event-{number}", **fields) for number in range(count)]


def status(secret: str, events: Any) -> int:
    return int(post(events, secret).status_code)


def test_beyond_the_limit_a_key_waits_and_is_told_how_long(world: World, secret: str) -> None:
    assert Counter(send(corrections(LIMIT), secret)) == {"correction_forbidden": LIMIT}
    answer = post(make_event(id="good"), secret)
    assert answer.status_code == 429
    assert json.loads(answer.content)["error"]["code"] == "too_much_refused"
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert num_events() == 0


def test_after_a_while_it_is_read_again(world: World, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    send(corrections(2 * LIMIT), secret)
    answer = post(make_event(id="good"), secret)
    [allowance] = refusals.allowances._kept.values()
    later = allowance.at + int(answer["Retry-After"]) + 0.1
    assert later > allowance.at + 60, "what is beyond the limit is waited for as well"
    monkeypatch.setattr("apikeys.allowances.monotonic", lambda: later)
    assert send(make_event(id="good"), secret) == ["accepted"]


def test_other_keys_and_gateways_go_on(world: World, secret: str, token: str) -> None:
    send(corrections(LIMIT), secret)
    _, colleague = make_key_and_secret(world.rita, name="Other")
    assert send(make_event(id="colleague"), colleague) == ["accepted"]
    key = make_key(world.rita)
    for _ in range(3):
        send(many(LIMIT, model="", api_key_id=key.public_id), token)
    assert send(make_event(id="gateway", api_key_id=key.public_id), token) == ["accepted"]


def test_bad_events_among_good_ones_cost_nothing(world: World, secret: str) -> None:
    for number in range(5):
        good = [make_event(id=f"good-{number}-{place}") for place in range(LIMIT // 2)]
        assert status(secret, [*good, *corrections(LIMIT // 2)]) == 200
    assert status(secret, make_event(id="last")) == 200


def test_retries_of_what_is_stored_count_as_themselves(world: World, secret: str) -> None:
    event = make_event(id="one")
    assert send(event, secret) == ["accepted"]
    for _ in range(2 * LIMIT // refusals.LEAST):
        assert send(event, secret) == ["duplicate"]
    assert Counter(send(many(LIMIT), secret)) == {"accepted": LIMIT}
    assert [status(secret, many(LIMIT)) for _ in range(2)] == [200, 429], "the same batch without end"


def test_single_refused_events_and_unreadable_bodies_count_for_more(world: World, secret: str) -> None:
    single = [status(secret, corrections(1)) for _ in range(LIMIT // refusals.LEAST + 1)]
    assert (single[0], single[-1]) == (200, 429)
    _, other = make_key_and_secret(world.bob)
    assert [post(b"[1, 2", other).status_code for _ in range(LIMIT // refusals.UNREADABLE + 1)] == [400, 429]


def test_without_a_limit_all_is_read(world: World, secret: str, settings: Any) -> None:
    settings.API_KEY_REFUSED_EVENTS_PER_MINUTE = 0
    assert [status(secret, corrections(LIMIT)) for _ in range(4)] == [200] * 4
