"""The last refused items: who, what and why, and nothing that should not be shown."""

import hashlib
import json

import pytest

from apikeys.models import APIKey, IngestToken
from metering.ingestion_models import RefusedItem, Source, UnknownKey
from metering.intake.formats.events import Refusal
from metering.intake.received import received, shown, writing
from metering.intake.received.tally import REFUSED_OF_A_SENDER, tally
from tests.engine import days_ago, make_event, make_key, make_key_and_secret, make_token, post, send
from tests.world import World


def items() -> list[RefusedItem]:
    """All that are kept, once this process has written its own, the newest first."""
    tally.write()
    return list(RefusedItem.objects.order_by("-id"))


def test_a_refused_item_says_who_what_and_why(world: World, token: str, key: APIKey) -> None:
    send([make_event(id="good", api_key_id=key.public_id)], token)
    send([make_event(id="far", api_key_id=key.public_id, timestamp=days_ago(1000))], token)
    (item,) = items()
    assert item.message.startswith("Events are accepted for 60 days")
    found = (item.source, item.token_id, item.organization_id, item.code, item.key, item.event_id)
    gateway = IngestToken.objects.get().pk
    assert found == ("native", gateway, world.acme.pk, "too_old", key.public_id, "far")


def test_an_event_that_could_not_be_read_has_the_names_that_it_gives_itself(token: str) -> None:
    body = b'[{"id": "broken", "api_key_id": "key_0123456789abcdefg", "colour": "red"}, {"id": 7}]'
    assert post(body, token).status_code == 200
    assert [(item.event_id, item.key) for item in items()] == [("", ""), ("broken", "key_0123456789abcdefg")]


def test_no_secret_and_no_payload_is_kept(world: World, token: str) -> None:
    _, secret = make_key_and_secret(world.rita)
    prompts = {"prompt": "my deepest thoughts", "messages": [{"content": "my deepest thoughts"}]}
    send([make_event(id=secret, api_key_id=secret)], token)
    send([{**make_event(id="event", api_key_id=secret), **prompts}], token)
    send([{**make_event(id="event", api_key_id=secret), secret: 1}], token)
    post(b'{"' + secret.encode(), token)
    kept = " ".join(str(value) for item in items() for value in vars(item).values())
    kept += " ".join(UnknownKey.objects.values_list("key", flat=True))
    assert secret not in kept
    assert "deepest" not in kept
    assert f"sha256:{hashlib.sha256(secret.encode()).hexdigest()[:16]}" in kept


def test_a_key_has_one_name_whether_its_secret_or_its_digest_came() -> None:
    digest = hashlib.sha256(b"sk-somewhere-else").hexdigest()
    assert shown.key_name("sk-somewhere-else") == shown.key_name(digest) == shown.key_name(digest.upper())
    assert shown.key_name("key_0123456789abcdefg") == "key_0123456789abcdefg"
    assert shown.key_name("key_0123456789abcdefg\n").startswith("sha256:")
    assert [shown.key_name(nothing) for nothing in ("", None, 7)] == ["", "", ""]


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "a\x1b[31mb", "a\N{RIGHT-TO-LEFT OVERRIDE}b", "x" * 1000], ids=repr)
def test_an_id_of_any_characters_is_kept_without_those_that_cannot_be_seen(token: str, name: str) -> None:
    body = json.dumps([{"id": name, "usage_type": "completions"}]).encode()
    assert post(body, token).status_code == 200
    (item,) = items()
    assert item.event_id.isprintable()
    assert 1 <= len(item.event_id) <= 64


def test_a_flood_of_one_sender_pushes_out_nothing_of_others(world: World, token: str, key: APIKey) -> None:
    outsider = make_key(world.charlie, "Charlie's")
    old = days_ago(1000)
    send([make_event(id="first", api_key_id=outsider.public_id), make_event(id="k", api_key_id=key.public_id)], token)
    send([make_event(id="quiet", api_key_id=outsider.public_id, timestamp=old)], token)
    for number in range(20):
        flood = [
            make_event(id=f"flood-{number}-{place}", api_key_id=key.public_id, timestamp=old) for place in range(50)
        ]
        send(flood, token)
        tally.write()
    found = [item.event_id for item in items()]
    assert len(found) == writing.MAX_REFUSED
    assert found.count("quiet") == 1
    assert found[0] == "flood-19-49"


def test_tokens_whose_senders_are_not_known_have_a_lane_each(world: World, token: str) -> None:
    other = make_token("other")
    send([make_event(id="quiet", api_key_id="key_nobody")], other)
    for number in range(30):
        send([make_event(id=f"flood-{number}-{place}", api_key_id="key_nobody") for place in range(10)], token)
        tally.write()
    assert sum(item.event_id == "quiet" for item in items()) == 1


def test_between_two_writes_the_last_items_of_a_sender_are_kept(token: str) -> None:
    send([make_event(id=f"event-{number}", api_key_id="key_nobody") for number in range(500)], token)
    assert [item.event_id for item in items()] == [f"event-{499 - place}" for place in range(REFUSED_OF_A_SENDER)]


def test_unknown_keys_are_counted_by_name_and_bounded(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MAX_UNKNOWN_KEYS", 3)
    for number in range(5):
        send([make_event(id=f"event-{number}-{place}", api_key_id=f"sk-foreign-{number}") for place in range(4)], token)
        tally.write()
    send([make_event(id="again", api_key_id="sk-foreign-4")], token)
    tally.write()
    kept = dict(UnknownKey.objects.values_list("key", "num_events"))
    assert len(kept) == 3
    assert kept[shown.key_name("sk-foreign-4")] == 5


@pytest.mark.django_db
def test_a_request_that_could_not_be_read_is_an_item_of_its_sender_and_one_of_nobody_is_not(token: str) -> None:
    post(b"{", token)
    post(b"{", None)
    received.note_unreadable(Source.OTLP, None, "unauthenticated")
    (item,) = items()
    assert (item.source, item.code, item.key, item.event_id) == ("native", "invalid_json", "", "")


def test_a_refusal_with_names_is_the_same_refusal() -> None:
    assert Refusal("code", "No.", event_id="a", key="b") == Refusal("code", "No.")
    assert "sk-secret" not in repr(Refusal("code", "No.", key="sk-secret"))
