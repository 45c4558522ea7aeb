"""The cache that all processes share: Redis, with PostgreSQL behind it where Redis is away.

Limits of guesses and used codes of second factors are kept here, so this is what holds:

- Redis that is away, slow or full is no error. A question to it ends after CACHE_REDIS_TIMEOUT_SECONDS, and for
  CACHE_REDIS_REST_SECONDS the process asks PostgreSQL alone.
- `add` succeeds once for a key until it expires, in all processes, whatever becomes of Redis: PostgreSQL has to agree. So no
  code of a second factor works twice.
- What is `set` (counts of limits) is in one of the two. When Redis goes, comes back, or loses its memory, counts begin anew;
  while processes do not agree whether it is away, they count apart.

`clear` is not offered: the queue of tasks is in the same Redis.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar, Final

from django.conf import settings
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.redis import RedisCache
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from redis import RedisError

from accounts.models import SharedValue

logger = logging.getLogger(__name__)
AWAY: Final = object()
MISSING: Final = object()


class JSONSerializer:
    """What is in Redis is data: text that somebody else put there is never run."""

    def dumps(self, value: object) -> str:
        return json.dumps(value)

    def loads(self, text: bytes) -> Any:
        return json.loads(text)


class SharedCache(BaseCache):
    """Django's cache over both. Values are what JSON can say."""

    away_until: ClassVar[float] = 0.0  # of all threads of this process

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self.redis = RedisCache(server, params)

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        if self._ask_redis(lambda redis: redis.add(key, value, timeout, version)) is False:
            return False
        name = self._name(key, version)
        SharedValue.objects.filter(key=name, expires_at__lte=Now()).delete()
        _, was_added = SharedValue.objects.get_or_create(key=name, defaults=self._fields(value, timeout))
        return was_added

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        found = self._ask_redis(lambda redis: redis.get(key, MISSING, version))
        if found is AWAY:
            row = unexpired().filter(key=self._name(key, version)).first()
            found = MISSING if row is None else json.loads(row.value)
        return default if found is MISSING else found

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        if self._ask_redis(lambda redis: redis.set(key, value, timeout, version)) is AWAY:
            SharedValue.objects.bulk_create(
                [SharedValue(key=self._name(key, version), **self._fields(value, timeout))],
                update_conflicts=True,
                unique_fields=["key"],
                update_fields=["value", "expires_at"],
            )

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        value = self.get(key, MISSING, version)
        if value is not MISSING:
            self.set(key, value, timeout, version)
        return value is not MISSING

    def delete(self, key: Any, version: int | None = None) -> bool:
        was_in_redis = self._ask_redis(lambda redis: redis.delete(key, version)) is True
        num_deleted, _ = SharedValue.objects.filter(key=self._name(key, version)).delete()
        return was_in_redis or num_deleted > 0

    def _ask_redis(self, question: Callable[[RedisCache], Any]) -> Any:
        """The answer, or AWAY."""
        if time.monotonic() < SharedCache.away_until:
            return AWAY
        try:
            return question(self.redis)
        except (RedisError, OSError) as error:
            SharedCache.away_until = time.monotonic() + settings.CACHE_REDIS_REST_SECONDS
            logger.warning("Redis does not answer (%s). Limits are kept in PostgreSQL meanwhile.", type(error).__name__)
            return AWAY

    def _name(self, key: Any, version: int | None) -> str:
        """Keys have parts that people type, and codes: the table has their digests."""
        return hashlib.sha256(self.make_key(key, version).encode()).hexdigest()

    def _fields(self, value: object, timeout: Any) -> dict[str, Any]:
        seconds = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        expires_at = None if seconds is None else Now() + timedelta(seconds=seconds)
        return {"value": json.dumps(value), "expires_at": expires_at}


def unexpired() -> QuerySet[SharedValue]:
    """By the database's clock."""
    return SharedValue.objects.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=Now()))


def drop_expired() -> int:
    """Forget what has expired; returns how many values that were."""
    num_dropped, _ = SharedValue.objects.filter(expires_at__lte=Now()).delete()
    return num_dropped
