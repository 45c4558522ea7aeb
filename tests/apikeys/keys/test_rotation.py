"""Rotating a key: a new secret, shown once, while the one in production goes on for as long as was promised."""

import re
from collections.abc import Callable
from datetime import timedelta

from django.db.models import F
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from apikeys import secrets
from apikeys.keys import keys
from apikeys.models import APIKey
from tests.engine import make_key
from tests.world import World

SignIn = Callable[[User], Client]
SECRET = re.compile(r"sk-[0-9A-Za-z]{32,}")
HIDDEN = re.compile(r'name="replaces" value="([^"]+)"')


def address(api_key: APIKey, thing: str) -> str:
    return f"/settings/api-keys/{api_key.public_id}/{thing}/"


def form_of(client: Client, api_key: APIKey) -> dict[str, str]:
    """The form of the page, filled in for an overlap of a day."""
    (replaces,) = HIDDEN.findall(client.get(address(api_key, "rotation")).content.decode())
    return {"overlap_hours": "24", "replaces": replaces}


def test_the_new_secret_is_shown_once_and_a_reload_changes_nothing(world: World, client_of: SignIn) -> None:
    api_key, client = make_key(world.rita), client_of(world.rita)
    before = bytes(api_key.digest)
    answer = client.post(address(api_key, "rotation"), form_of(client, api_key))
    assert (answer.status_code, answer["Location"]) == (302, address(api_key, "secret"))
    page = client.get(answer["Location"]).content.decode()
    (secret,) = set(SECRET.findall(page))
    api_key.refresh_from_db()
    assert bytes(api_key.digest) == secrets.digest(secret)
    assert bytes(api_key.previous_digest or b"") == before
    assert "The previous secret stays valid until" in page
    again = client.get(answer["Location"]).content.decode()
    assert "has been shown already" in again
    assert secret not in again


def test_a_form_that_is_sent_twice_rotates_once(world: World, client_of: SignIn) -> None:
    api_key, client = make_key(world.rita), client_of(world.rita)
    sent = form_of(client, api_key)
    for _ in range(2):
        answer = client.post(address(api_key, "rotation"), {**sent, "ends_earlier": "on"})
        assert answer["Location"] == address(api_key, "secret")
    current = APIKey.objects.get(pk=api_key.pk)
    assert bytes(current.previous_digest or b"") == bytes(api_key.digest)
    (secret,) = set(SECRET.findall(client.get(address(api_key, "secret")).content.decode()))
    assert bytes(current.digest) == secrets.digest(secret)


def test_a_second_rotation_within_the_overlap_asks_before_the_older_secret_ends(
    world: World, client_of: SignIn
) -> None:
    api_key, client = make_key(world.rita), client_of(world.rita)
    client.post(address(api_key, "rotation"), form_of(client, api_key))
    question = client.post(address(api_key, "rotation"), form_of(client, api_key))
    assert question.status_code == 200
    assert "Confirm that this secret ends." in question.content.decode()
    rotated = APIKey.objects.get(pk=api_key.pk)
    assert bytes(rotated.previous_digest or b"") == bytes(api_key.digest)
    client.post(address(api_key, "rotation"), {**form_of(client, api_key), "ends_earlier": "on"})
    api_key.refresh_from_db()
    assert bytes(api_key.previous_digest or b"") == bytes(rotated.digest)


def test_after_the_overlap_nothing_is_asked(world: World, client_of: SignIn) -> None:
    api_key, client = make_key(world.rita), client_of(world.rita)
    client.post(address(api_key, "rotation"), form_of(client, api_key))
    APIKey.objects.update(previous_expires_at=F("previous_expires_at") - timedelta(days=2))
    assert "ends_earlier" not in client.get(address(api_key, "rotation")).content.decode()
    assert client.post(address(api_key, "rotation"), form_of(client, api_key)).status_code == 302


def test_a_secret_that_nobody_looks_at_waits_for_a_limited_time(
    world: World, client_of: SignIn, settings: Settings
) -> None:
    client = client_of(world.rita)
    client.post("/settings/api-keys/", {"name": "Laptop"})
    settings.SHOWN_ONCE_SECONDS = 0
    page = client.get(address(APIKey.objects.get(), "secret")).content.decode()
    assert not SECRET.search(page)
    assert "has been shown already" in page


def test_two_new_keys_in_two_windows_both_show_their_secrets(world: World, client_of: SignIn) -> None:
    client = client_of(world.rita)
    shown = [client.post("/settings/api-keys/", {"name": name})["Location"] for name in ("Laptop", "Desk")]
    found = {secret for page in shown for secret in SECRET.findall(client.get(page).content.decode())}
    assert {secrets.digest(secret) for secret in found} == {bytes(key.digest) for key in APIKey.objects.all()}


def test_nobody_else_is_shown_a_secret_and_a_revoked_key_has_none(world: World, client_of: SignIn) -> None:
    client = client_of(world.rita)
    page = client.post("/settings/api-keys/", {"name": "Laptop"})["Location"]
    assert client_of(world.alice).get(page).status_code == 404
    other_browser = client_of(world.rita).get(page).content.decode()
    assert not SECRET.search(other_browser)
    api_key = APIKey.objects.get()
    keys.revoke_api_key(api_key=api_key, now=api_key.created_at)
    assert client.get(page).status_code == 404
