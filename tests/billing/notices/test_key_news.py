"""News of keys for programs and chats: what happened, how often and by whom, in one message, and no secret."""

import json
import time
from datetime import timedelta

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.audit.audit import OPERATOR, SYSTEM_ACTOR, Actor
from accounts.clock import database_now
from apikeys import secrets
from apikeys.adminkeys.adminkeys import create_admin_key, revoke_admin_key
from apikeys.keys.importing import store
from apikeys.keys.keys import (
    create_api_key,
    create_ingest_token,
    rename_api_key,
    revoke_api_key,
    revoke_ingest_token,
)
from apikeys.models import APIKey, KeyNews
from billing.alerts import Delivery, News, StaffNews, WebhookFormat
from billing.notices import endpoints, key_news
from tests.world import World

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def told_at_once(settings: Settings) -> None:
    settings.KEY_NEWS_SECONDS = 0


def program(world: World, *kinds: str) -> None:
    endpoints.add(world.acme, "https://example.com/hook", actor=SYSTEM_ACTOR, event_types=kinds)


def chat(world: World, *kinds: str) -> None:
    address = "https://hooks.slack.com/services/T/B/x"
    endpoints.add(world.acme, address, actor=SYSTEM_ACTOR, format=WebhookFormat.SLACK, event_types=kinds)


def sent() -> list[dict[str, object]]:
    return [json.loads(found.body) for found in Delivery.objects.filter(endpoint__isnull=False).order_by("id")]


def by_alice(world: World) -> Actor:
    return Actor(user=world.alice, name=world.alice.email)


def test_a_program_hears_of_a_new_key_and_of_its_end(world: World) -> None:
    program(world)
    api_key, secret = create_api_key(
        user=world.rita, name="Nightly “batch”", created_at=database_now(), actor=by_alice(world)
    )
    assert key_news.check() == 1
    with transaction.atomic():
        revoke_api_key(api_key=api_key, now=database_now(), actor=by_alice(world))
    assert key_news.check() == 1
    created, revoked = sent()
    assert (created["type"], revoked["type"]) == ("api_key.created", "api_key.revoked")
    for body in (created, revoked):
        data = body["data"]
        assert isinstance(data, dict)
        assert (data["organization_id"], data["count"], data["by"]) == (
            world.acme.public_id,
            1,
            [world.alice.email],
        )
        (key,) = data["keys"]
        assert (key["id"], key["name"], key["user"]) == (api_key.public_id, "Nightly “batch”", world.rita.email)
    everything = "".join(Delivery.objects.values_list("body", flat=True))
    assert secret not in everything
    assert secret[-3:] not in everything.replace(api_key.public_id, "")
    assert api_key.redacted not in everything


def test_admin_keys_are_told_of_apart(world: World) -> None:
    program(world, News.ADMIN_KEY_CREATED)
    admin_key, secret = create_admin_key(
        organization=world.acme, name="Grafana", scopes=["usage"], now=database_now(), actor=by_alice(world)
    )
    with transaction.atomic():
        revoke_admin_key(admin_key=admin_key, now=database_now(), actor=by_alice(world))
    create_api_key(user=world.rita, name="CI", created_at=database_now())
    assert key_news.check() == 3
    (body,) = sent()
    assert body["type"] == "admin_key.created"
    assert secret[-3:] not in json.dumps(body["data"]).replace(admin_key.public_id, "")


def test_a_chat_reads_who_did_what(world: World) -> None:
    chat(world, News.KEY_CREATED)
    create_api_key(user=world.rita, name="CI", created_at=database_now(), actor=by_alice(world))
    key_news.check()
    (body,) = sent()
    assert f"1 API key was created by {world.alice.email}: “CI” of {world.rita.email}." in json.dumps(
        body, ensure_ascii=False
    )


@pytest.mark.parametrize("is_program", [True, False])
def test_the_operator_s_people_and_programs_are_staff_as_in_the_audit_log(world: World, is_program: bool) -> None:
    program(world)
    chat(world)
    staff = Actor(user=world.charlie, name=world.charlie.email)
    actor = Actor(name=f"{OPERATOR}“tenant sync” (op-...Xy7)") if is_program else staff
    api_key, _ = create_api_key(user=world.rita, name="CI", created_at=database_now(), actor=actor)
    create_api_key(user=world.rita, name="Laptop", created_at=database_now(), actor=by_alice(world))
    with transaction.atomic():
        revoke_api_key(api_key=api_key, now=database_now(), actor=actor)
    assert key_news.check() == 3
    heard = json.dumps(sent(), ensure_ascii=False)
    assert actor.name not in heard
    assert "2 API keys were created by Staff, alice@acme.test: “CI”" in heard
    assert "1 API key was revoked by Staff: “CI”" in heard
    created = next(body["data"] for body in sent() if body.get("type") == "api_key.created")
    assert isinstance(created, dict)
    assert created["by"] == ["Staff", world.alice.email]
    assert [key["by"] for key in created["keys"]] == ["Staff", world.alice.email]


def test_a_load_of_keys_is_one_message_for_each(
    world: World, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    program(world)
    chat(world)
    now = database_now()
    keys = [
        APIKey(
            user=world.rita,
            name=f"Key {number:05}",
            digest=secrets.digest(f"sk-{number}"),
            redacted="sk-...000",
            tracked=True,
            created_at=now,
        )
        for number in range(10_000)
    ]
    store(keys, Actor(name="operator token “crm” (op-...Xy7)"))
    began = time.monotonic()
    with django_assert_max_num_queries(20):
        assert key_news.check() == 10_000
    telling = time.monotonic() - began
    began = time.monotonic()
    more = (secrets.digest(f"sk-b{number}") for number in range(10_000))
    store(
        [APIKey(user=world.bob, name="x", digest=one, redacted="", tracked=True, created_at=now) for one in more],
        SYSTEM_ACTOR,
    )
    assert telling < time.monotonic() - began
    program_heard, chat_heard = sent()
    data = program_heard["data"]
    assert isinstance(data, dict)
    assert (data["count"], data["by"], len(data["keys"])) == (10_000, ["Staff"], 100)
    text = json.dumps(chat_heard, ensure_ascii=False)
    assert "10,000 API keys were created by Staff: “Key 00000”" in text
    assert "and 9,995 more." in text


def test_news_wait_until_a_load_is_likely_over(world: World, settings: Settings) -> None:
    program(world)
    settings.KEY_NEWS_SECONDS = 60
    create_api_key(user=world.rita, name="First", created_at=database_now())
    assert key_news.check() == 0
    KeyNews.objects.update(created_at=database_now() - MINUTE)
    create_api_key(user=world.rita, name="Second", created_at=database_now())
    assert key_news.check() == 2
    assert len(sent()) == 1
    assert not KeyNews.objects.exists()


def test_nothing_is_told_of_what_did_not_happen_or_is_no_news(world: World) -> None:
    program(world)
    with transaction.atomic():
        create_api_key(user=world.rita, name="Never", created_at=database_now())
        transaction.set_rollback(True)
    api_key, _ = create_api_key(user=world.rita, name="CI", created_at=database_now())
    key_news.check()
    rename_api_key(api_key=api_key, name="CI 2")
    assert key_news.check() == 0
    assert len(sent()) == 1


def test_others_and_people_of_no_organization_are_not_told(world: World) -> None:
    program(world)
    create_api_key(user=world.charlie, name="Elsewhere", created_at=database_now())
    world.rita.default_organization = None
    world.rita.save(update_fields=["default_organization"])
    create_api_key(user=world.rita, name="Nowhere", created_at=database_now())
    key_news.check()
    assert sent() == []


def test_owners_get_no_email_of_each_key(world: World) -> None:
    create_api_key(user=world.rita, name="CI", created_at=database_now())
    assert key_news.check() == 1
    assert not Delivery.objects.exists()


def hook_of_staff(*kinds: str) -> None:
    endpoints.add(None, "https://example.com/operator", actor=SYSTEM_ACTOR, event_types=kinds)


def test_staff_hears_of_ingest_tokens_and_no_organization_does(world: World) -> None:
    program(world)
    hook_of_staff()
    token, secret = create_ingest_token(name="Gateway", actor=by_alice(world))
    assert key_news.check() == 1
    with transaction.atomic():
        revoke_ingest_token(token=token, now=database_now())
    assert key_news.check() == 1
    created, revoked = sent()
    assert (created["type"], revoked["type"]) == ("ingest_token.created", "ingest_token.revoked")
    for body, by in ((created, world.alice.email), (revoked, "system")):
        data = body["data"]
        assert isinstance(data, dict)
        assert (data["count"], data["by"]) == (1, [by])
        assert [(found["name"], found["by"]) for found in data["tokens"]] == [("Gateway", by)]
    assert set(Delivery.objects.values_list("endpoint__url", flat=True)) == {"https://example.com/operator"}
    everything = "".join(Delivery.objects.values_list("body", flat=True))
    assert secret not in everything
    assert token.redacted not in everything
    assert KeyNews.objects.count() == 0


def test_staff_hears_nothing_of_an_organization_s_keys(world: World) -> None:
    hook_of_staff()
    create_api_key(user=world.rita, name="Laptop", created_at=database_now(), actor=by_alice(world))
    assert key_news.check() == 1
    assert sent() == []


def test_tokens_made_at_once_are_one_message(world: World) -> None:
    hook_of_staff(StaffNews.TOKEN_CREATED)
    for number in range(3):
        create_ingest_token(name=f"Gateway {number}", actor=by_alice(world))
    assert key_news.check() == 3
    [body] = sent()
    data = body["data"]
    assert isinstance(data, dict)
    assert [found["name"] for found in data["tokens"]] == ["Gateway 0", "Gateway 1", "Gateway 2"]
