"""The cache of all processes: with Redis, while it is away, while it is slow, and from one to the other."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test import Client
from pytest_django import Settings
from redis import Redis

from accounts.installation.shared_cache import SharedCache
from accounts.models import SharedValue
from accounts.tasks import drop_expired_values
from tests.entrance import SECOND_FACTOR, SIGN_IN, sign_in, totp_code, with_app
from tests.world import World
from usage_dashboard import settings as product

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]
WITH_REDIS, AWAY = "redis", "away"
LOCATION = str(product.CACHES["default"]["LOCATION"])
TIMEOUT_SECONDS = 0.25


class Switch:
    """Turns the product's cache to a Redis that is there, or to one that is not."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, location: str) -> None:
        caches = deepcopy(product.CACHES)
        caches["default"]["LOCATION"] = {WITH_REDIS: LOCATION, AWAY: "unix:///nowhere/redis.sock"}.get(
            location, location
        )
        self.settings.CACHES = caches
        SharedCache.away_until = 0.0

    def forget(self) -> None:
        Redis.from_url(LOCATION).flushdb()


@pytest.fixture
def switch(settings: Settings, redis_server: None) -> Iterator[Switch]:
    switch = Switch(settings)
    switch(WITH_REDIS)
    yield switch
    switch.forget()
    SharedCache.away_until = 0.0


@pytest.mark.parametrize("location", [WITH_REDIS, AWAY])
def test_it_keeps_what_it_is_given_until_it_expires(switch: Switch, location: str) -> None:
    switch(location)
    assert cache.get("name") is None
    assert cache.get("name", "none") == "none"
    cache.set("name", [1.5, 2], 60)
    cache.set("name", [2.5, 3], 60)
    assert cache.get("name") == [2.5, 3]
    assert cache.touch("name", 60)
    assert not cache.touch("other")
    assert not cache.add("name", "x", 60)
    assert cache.delete("name")
    assert not cache.delete("name")
    assert cache.get("name") is None
    cache.set("brief", "x", 0.05)
    cache.set("for-ever", "x", None)
    time.sleep(0.1)
    assert cache.get("brief") is None
    assert cache.get("for-ever") == "x"
    assert cache.add("brief", "y", 60)


@pytest.mark.parametrize(("first", "second"), [(WITH_REDIS, AWAY), (AWAY, WITH_REDIS), (WITH_REDIS, WITH_REDIS)])
def test_what_is_added_once_is_not_added_again_whatever_becomes_of_redis(
    switch: Switch, first: str, second: str
) -> None:
    switch(first)
    assert cache.add("code", "y", 60)
    switch.forget()
    switch(second)
    assert not cache.add("code", "y", 60)
    assert cache.delete("code")
    assert cache.add("code", "y", 60)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("location", [WITH_REDIS, AWAY])
def test_of_many_processes_at_the_same_moment_one_adds(switch: Switch, location: str) -> None:
    switch(location)
    parameters = {name: value for name, value in product.CACHES["default"].items() if name != "BACKEND"}
    server = str(parameters.pop("LOCATION"))

    def add(_number: int) -> bool:
        try:
            return SharedCache(server, parameters).add("code", "y", 60)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(add, range(24))) == [False] * 23 + [True]


def test_a_redis_that_does_not_answer_is_asked_once_and_then_left_alone(switch: Switch, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        switch(f"unix://{tmp_path / 's'}")
        begun = time.monotonic()
        cache.set("name", "x", 60)
        first = time.monotonic() - begun
        for _ in range(10):
            assert cache.get("name") == "x"
        assert first < 4 * TIMEOUT_SECONDS
        assert time.monotonic() - begun - first < first


def test_values_that_have_expired_are_dropped(switch: Switch) -> None:
    switch(AWAY)
    cache.set("brief", "x", 0.01)
    cache.set("longer", "x", 60)
    time.sleep(0.05)
    drop_expired_values()
    assert SharedValue.objects.count() == 1


def test_keys_are_not_kept_in_clear(switch: Switch) -> None:
    assert cache.add("code=123456", "y", 60)
    assert "123456" not in SharedValue.objects.get().key


@pytest.mark.parametrize("second", [WITH_REDIS, AWAY])
@pytest.mark.parametrize("first", [WITH_REDIS, AWAY])
def test_a_code_of_a_second_factor_works_once(world: World, switch: Switch, first: str, second: str) -> None:
    switch(first)
    with time_machine.travel(datetime.now(UTC), tick=False):
        _, secret = with_app("rita@acme.test")
        code = {"code": totp_code(secret)}
        here, _ = sign_in("rita@acme.test")
        assert here.post(SECOND_FACTOR, code).headers["Location"] == "/usage"
        switch.forget()
        switch(second)
        there, _ = sign_in("rita@acme.test")
        assert there.post(SECOND_FACTOR, code).headers.get("Location", "") == ""
        assert there.get("/settings/profile/").status_code == 302


@pytest.mark.parametrize("location", [WITH_REDIS, AWAY])
def test_guessing_is_slowed_down_and_nothing_fails(world: World, switch: Switch, location: str) -> None:
    switch(location)
    for _ in range(6):
        answer = Client().post(SIGN_IN, {"login": "rita@acme.test", "password": "wrong password here"})
        assert answer.status_code == 200
    assert sign_in("rita@acme.test")[1] == ""
