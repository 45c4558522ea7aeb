"""User settings, API keys: each person's own, and nobody else's."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.clock import database_now
from accounts.models import User
from apikeys import secrets
from apikeys.keys import keys
from apikeys.models import APIKey, IngestToken, TrackingChange
from tests.world import World

SignIn = Callable[[User], Client]
PAGE = "/settings/api-keys/"
NEW = datetime(2026, 11, 1, tzinfo=UTC)
OLD = datetime(2023, 6, 1, tzinfo=UTC)
SECRET = re.compile(r"sk-[0-9A-Za-z]{32,}")


def make_key(user: User, name: str = "Laptop", created_at: datetime = NEW) -> APIKey:
    api_key, _ = keys.create_api_key(user=user, name=name, created_at=created_at)
    return api_key


def address(api_key: APIKey, thing: str) -> str:
    return f"{PAGE}{api_key.public_id}/{thing}/"


def test_the_page_lists_ones_own_keys_and_no_others(world: World, client_of: SignIn) -> None:
    mine = make_key(world.rita, "Ritas key")
    theirs = make_key(world.alice, "Alices key")
    page = client_of(world.rita).get(PAGE).content.decode()
    assert "Ritas key" in page
    assert mine.redacted in page
    assert "Alices key" not in page
    assert theirs.public_id not in page


def test_the_page_needs_the_same_queries_however_many_keys_there_are(
    world: World, client_of: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        make_key(world.rita, f"key {number}")
    client = client_of(world.rita)
    client.get(PAGE)
    with django_assert_max_num_queries(11):
        client.get(PAGE)


def test_a_new_key_shows_its_secret_once_on_that_page_alone(world: World, client_of: SignIn) -> None:
    client = client_of(world.rita)
    answer = client.post(PAGE, {"name": "Laptop", "expires_in_days": ""})
    api_key = APIKey.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == address(api_key, "secret")
    client.head(answer["Location"])
    shown = client.get(answer["Location"])
    assert "no-store" in shown["Cache-Control"]
    (secret,) = set(SECRET.findall(shown.content.decode()))
    again = client.get(answer["Location"]).content.decode()
    assert "has been shown already" in again
    assert secret not in again
    assert bytes(api_key.digest) == secrets.digest(secret)
    assert api_key.user == world.rita
    assert api_key.tracked
    assert api_key.expires_at is None
    assert secret not in client.get(PAGE).content.decode()


def test_a_key_can_be_made_to_expire(world: World, client_of: SignIn) -> None:
    client_of(world.rita).post(PAGE, {"name": "Laptop", "expires_in_days": "30"})
    api_key = APIKey.objects.get()
    assert api_key.expires_at == api_key.created_at + timedelta(days=30)


@pytest.mark.parametrize("name", ["", "   ", "x" * 256, "a\x00b", "a\x1bb"])
def test_a_bad_name_is_refused_with_a_sentence_and_no_key_is_made(world: World, client_of: SignIn, name: str) -> None:
    answer = client_of(world.rita).post(PAGE, {"name": name})
    assert answer.status_code == 200
    assert "field-error" in answer.content.decode()
    assert not APIKey.objects.exists()


@pytest.mark.parametrize(
    "secret", [secrets.make_api_key_secret(), f"my {secrets.make_ingest_token_secret()}"], ids=["key", "token"]
)
def test_a_secret_pasted_into_the_name_is_refused_and_not_shown_again(
    world: World, client_of: SignIn, secret: str
) -> None:
    api_key = make_key(world.rita)
    client = client_of(world.rita)
    for page in (PAGE, address(api_key, "name")):
        answer = client.post(page, {"name": secret}).content.decode()
        assert "looks like a secret" in answer
        assert secret not in answer
    assert list(APIKey.objects.values_list("name", flat=True)) == ["Laptop"]


def test_markup_in_a_name_stays_text(world: World, client_of: SignIn) -> None:
    make_key(world.rita, "<script>alert(1)</script>")
    page = client_of(world.rita).get(PAGE).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_an_old_key_is_shown_untracked_with_what_tracking_does(world: World, client_of: SignIn) -> None:
    make_key(world.rita, created_at=OLD)
    page = client_of(world.rita).get(PAGE).content.decode()
    assert 'aria-checked="false"' in page
    assert "earlier usage stays Untracked" in page


def test_the_switch_turns_tracking_on_from_now_on_and_offers_to_undo_it(world: World, client_of: SignIn) -> None:
    api_key = make_key(world.rita, created_at=OLD)
    client = client_of(world.rita)
    before = database_now()
    answer = client.post(address(api_key, "tracking"), {"tracked": "on"})
    assert answer.status_code == 302
    api_key.refresh_from_db()
    assert api_key.tracked
    change = TrackingChange.objects.get(api_key=api_key, tracked=True)
    assert before <= change.effective_at <= database_now()
    page = client.get(answer["Location"]).content.decode()
    assert "Undo" in page
    assert f"{change.effective_at:%H:%M:%S} UTC" in page


def test_undo_is_a_switch_back_that_keeps_both_moments(world: World, client_of: SignIn) -> None:
    api_key = make_key(world.rita)
    client = client_of(world.rita)
    client.post(address(api_key, "tracking"), {"tracked": "off"})
    client.post(address(api_key, "tracking"), {"tracked": "on"})
    states = list(api_key.tracking_changes.order_by("effective_at").values_list("tracked", flat=True))
    assert states == [True, False, True]


def test_switching_to_the_same_state_writes_nothing(world: World, client_of: SignIn) -> None:
    api_key = make_key(world.rita)
    client_of(world.rita).post(address(api_key, "tracking"), {"tracked": "on"})
    assert api_key.tracking_changes.count() == 1


def test_a_switch_without_a_state_is_a_bad_request(world: World, client_of: SignIn) -> None:
    assert client_of(world.rita).post(address(make_key(world.rita), "tracking"), {}).status_code == 400


def test_a_key_is_renamed(world: World, client_of: SignIn) -> None:
    api_key = make_key(world.rita)
    client = client_of(world.rita)
    assert "Laptop" in client.get(address(api_key, "name")).content.decode()
    assert client.post(address(api_key, "name"), {"name": "🔑 مفتاح"}).status_code == 302
    api_key.refresh_from_db()
    assert api_key.name == "🔑 مفتاح"


def test_a_key_is_revoked_after_a_question_and_stays_in_the_list(world: World, client_of: SignIn) -> None:
    api_key = make_key(world.rita)
    client = client_of(world.rita)
    client.get(address(api_key, "revocation"))
    api_key.refresh_from_db()
    assert api_key.revoked_at is None
    assert client.post(address(api_key, "revocation")).status_code == 302
    api_key.refresh_from_db()
    assert api_key.revoked_at is not None
    assert "Revoked keys (1)" in client.get(PAGE).content.decode()


@pytest.mark.parametrize("thing", ["tracking", "name", "revocation"])
def test_someone_elses_key_and_a_revoked_one_do_not_exist(world: World, client_of: SignIn, thing: str) -> None:
    theirs = make_key(world.alice)
    revoked = make_key(world.rita)
    keys.revoke_api_key(api_key=revoked, now=NEW)
    client = client_of(world.rita)
    for api_key in (theirs, revoked):
        data = {"tracked": "off", "name": "Mine now"}
        assert client.post(address(api_key, thing), data).status_code == 404
    theirs.refresh_from_db()
    assert theirs.tracked
    assert theirs.name == "Laptop"
    assert theirs.revoked_at is None


def test_the_command_prints_the_id_and_the_secret(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_api_key", "Rita@acme.test", "Laptop")
    public_id, secret = capsys.readouterr().out.split()
    api_key = APIKey.objects.get(public_id=public_id)
    assert bytes(api_key.digest) == secrets.digest(secret)
    assert api_key.user == world.rita


def test_the_command_refuses_an_unknown_email_and_a_bad_name(world: World) -> None:
    with pytest.raises(CommandError, match="Nobody here"):
        call_command("create_api_key", "nobody@acme.test", "Laptop")
    with pytest.raises(CommandError, match="looks like a secret"):
        call_command("create_api_key", "rita@acme.test", secrets.make_api_key_secret())


def test_the_command_for_ingest_tokens_prints_the_token_alone(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_ingest_token", "gateway")
    secret = capsys.readouterr().out.strip()
    assert bytes(IngestToken.objects.get(name="gateway").digest) == secrets.digest(secret)
    with pytest.raises(CommandError, match="already"):
        call_command("create_ingest_token", "gateway")
