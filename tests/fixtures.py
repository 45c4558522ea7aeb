"""Fixtures over the named world (`tests.world`)."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from django.apps import apps
from django.db.models.signals import post_migrate
from django.test import Client
from pytest_django import Settings

from accounts.models import RoutingVersion, User
from apikeys.models import APIKey
from tests.engine import make_key, make_token
from tests.world import World, make_world
from usage_dashboard.doctor import programs

QUICK: Final[dict[str, Any]] = {
    "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
    "CACHES": {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}},  # no rate limits
    "STAFF_SECOND_FACTOR": False,
    "INGESTION_WRITE_SECONDS": 0.0,
    "METRICS_WRITE_SECONDS": 0.0,
}


@pytest.fixture(autouse=True)
def quick_settings(settings: Settings) -> None:
    """Passwords hashed fast, staff known by a password alone, and no thread that writes beside a test's transaction."""
    for name, value in QUICK.items():
        setattr(settings, name, value)


@pytest.fixture(autouse=True, scope="session")
def rows_of_migrations() -> Iterator[None]:
    """A test with real transactions ends by emptying every table; what migrations put there is put back."""

    def put_back(**_kwargs: object) -> None:
        RoutingVersion.objects.get_or_create(id=1)

    post_migrate.connect(put_back, sender=apps.get_app_config("accounts"))
    yield
    post_migrate.disconnect(put_back, sender=apps.get_app_config("accounts"))


@pytest.fixture
def world(db: None) -> World:
    """The named world, in this test's transaction."""
    return make_world()


@pytest.fixture
def token(db: None) -> str:
    """The secret of a gateway's ingest token."""
    return make_token()


@pytest.fixture
def key(world: World) -> APIKey:
    """A tracked key of Rita's."""
    return make_key(world.rita)


@pytest.fixture
def nobody_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker and no beat run beside this test: what asks for them need not wait for answers."""
    monkeypatch.setattr(programs, "ANSWER_SECONDS", 0.1)


@pytest.fixture
def client_of() -> Callable[[User], Client]:
    """A browser in which the given user is signed in."""

    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return signed_in
