"""The promises of `apikeys.keys.keys`: what a new key is, and that tracking is a dated history."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from accounts.changes import routing_change
from accounts.models import RoutingVersion
from apikeys import secrets
from apikeys.keys import keys
from apikeys.models import APIKey, IngestToken
from tests.world import World

pytestmark = pytest.mark.django_db
NEW = datetime(2026, 11, 1, tzinfo=UTC)
OLD = datetime(2023, 6, 1, tzinfo=UTC)


def make_key(world: World, created_at: datetime = NEW, name: str = "Laptop") -> APIKey:
    api_key, _ = keys.create_api_key(user=world.alice, name=name, created_at=created_at)
    return api_key


def history(api_key: APIKey) -> list[tuple[bool, datetime]]:
    return list(api_key.tracking_changes.order_by("effective_at").values_list("tracked", "effective_at"))


def test_the_secret_is_returned_once_and_only_its_digest_is_stored(world: World) -> None:
    api_key, secret = keys.create_api_key(user=world.alice, name="Laptop", created_at=NEW)
    api_key.refresh_from_db()
    assert bytes(api_key.digest) == secrets.digest(secret)
    assert api_key.redacted == secrets.redact(secret)
    assert api_key.public_id.startswith("key_")
    with connection.cursor() as cursor:
        cursor.execute("SELECT apikeys_apikey::text FROM apikeys_apikey")
        assert all(secret not in row for (row,) in cursor.fetchall())


@pytest.mark.parametrize(
    ("created_at", "tracked"),
    [
        (datetime(2023, 12, 20, 23, 59, 59, 999999, tzinfo=UTC), False),
        (datetime(2023, 12, 21, tzinfo=UTC), True),
        (OLD, False),
        (NEW, True),
    ],
)
def test_a_key_is_tracked_by_default_if_created_after_20_december_2023(
    world: World, created_at: datetime, *, tracked: bool
) -> None:
    api_key = make_key(world, created_at)
    assert api_key.tracked is tracked
    assert history(api_key) == [(tracked, created_at)]


def test_a_switch_of_tracking_is_dated_and_keeps_what_was(world: World) -> None:
    api_key = make_key(world, OLD)
    with routing_change() as now:
        assert keys.set_tracking(api_key=api_key, tracked=True, now=now)
    api_key.refresh_from_db()
    assert api_key.tracked
    assert history(api_key) == [(False, OLD), (True, now)]


def test_a_switch_to_the_same_state_changes_nothing(world: World) -> None:
    api_key = make_key(world)
    with routing_change() as now:
        assert not keys.set_tracking(api_key=api_key, tracked=True, now=now)
    assert history(api_key) == [(True, NEW)]


def test_tracking_cannot_be_switched_in_the_past(world: World) -> None:
    api_key = make_key(world)
    keys.set_tracking(api_key=api_key, tracked=False, now=NEW + timedelta(days=2))
    with pytest.raises(ValueError, match="forward only"):
        keys.set_tracking(api_key=api_key, tracked=True, now=NEW + timedelta(days=1))


def test_a_change_under_the_guard_raises_the_routing_version(world: World) -> None:
    before = RoutingVersion.objects.get().version
    with routing_change() as now:
        keys.revoke_api_key(api_key=make_key(world), now=now)
    assert RoutingVersion.objects.get().version == before + 1


def test_a_revoked_key_stays_and_keeps_its_first_moment(world: World) -> None:
    api_key = make_key(world)
    keys.revoke_api_key(api_key=api_key, now=NEW + timedelta(days=1))
    keys.revoke_api_key(api_key=api_key, now=NEW + timedelta(days=2))
    api_key.refresh_from_db()
    assert api_key.revoked_at == NEW + timedelta(days=1)
    assert api_key.name == "Laptop"


def test_a_revoked_key_can_neither_be_renamed_nor_switched(world: World) -> None:
    api_key = make_key(world)
    keys.revoke_api_key(api_key=api_key, now=NEW)
    with pytest.raises(keys.KeyRevokedError):
        keys.rename_api_key(api_key=api_key, name="Other")
    with pytest.raises(keys.KeyRevokedError):
        keys.set_tracking(api_key=api_key, tracked=False, now=NEW)


@pytest.mark.parametrize("name", ["x", "  Laptop  ", "🔑👩‍💻", "مفتاح", "<b>bold</b>", "x" * 255])
def test_any_printable_name_up_to_255_characters_is_kept_as_it_is(world: World, name: str) -> None:
    api_key = make_key(world, name=name)
    api_key.refresh_from_db()
    assert api_key.name == name.strip()


@pytest.mark.parametrize(
    "name", ["", "   ", "x" * 256, "a\x00b", "a\nb", "a\x1bb", "a\u2028b", "\ud800", "sk-" + "a" * 40, "it-" + "a" * 40]
)
def test_other_names_are_refused_with_a_sentence(world: World, name: str) -> None:
    with pytest.raises(keys.InvalidNameError, match=r"\w+ .*\."):
        make_key(world, name=name)
    assert not APIKey.objects.exists()


def test_a_key_can_be_renamed(world: World) -> None:
    api_key = make_key(world)
    keys.rename_api_key(api_key=api_key, name="Desktop")
    api_key.refresh_from_db()
    assert api_key.name == "Desktop"


def test_an_ingest_token_is_stored_as_digest_and_its_name_is_its_own(world: World) -> None:
    token, secret = keys.create_ingest_token(name="gateway")
    assert bytes(IngestToken.objects.get(pk=token.pk).digest) == secrets.digest(secret)
    with pytest.raises(keys.InvalidNameError, match="already"):
        keys.create_ingest_token(name="gateway")


def test_a_revoked_ingest_token_keeps_its_first_moment(world: World) -> None:
    token, _ = keys.create_ingest_token(name="gateway")
    keys.revoke_ingest_token(token=token, now=NEW)
    keys.revoke_ingest_token(token=token, now=NEW + timedelta(days=1))
    token.refresh_from_db()
    assert token.revoked_at == NEW
