"""What the broker of background tasks says, within a second."""

import contextlib
from collections.abc import Callable
from typing import Any, Final, TypeVar

from django.conf import settings

T = TypeVar("T")
ALIVE: Final = "usage-dashboard-beat"
"""What beat sets for a minute, by the broker's clock alone, whenever it is at work."""

TIMEOUT_SECONDS: Final = 1
QUEUES: Final = tuple(
    {settings.CELERY_TASK_DEFAULT_QUEUE, *(route["queue"] for route in settings.CELERY_TASK_ROUTES.values())}
)


def queue_lengths() -> dict[str, int] | None:
    """How many messages wait in each queue; None if the broker does not answer."""
    return _asked(lambda broker: {queue: int(broker.llen(queue)) for queue in QUEUES})


def beat_is_alive() -> bool | None:
    """Whether beat has sent a task within the last minute; None if the broker does not answer."""
    return _asked(lambda broker: bool(broker.exists(ALIVE)))


def _asked(ask: Callable[[Any], T]) -> T | None:
    import redis  # noqa: PLC0415 – 0.4 s that each process of web would wait for at its start, for two pages of monitors

    address = settings.REDIS_URL.replace("redis+socket://", "unix://")
    timeouts = {"socket_connect_timeout": TIMEOUT_SECONDS, "socket_timeout": TIMEOUT_SECONDS}
    with (
        contextlib.suppress(redis.RedisError),
        redis.Redis.from_url(address, **timeouts, **settings.REDIS_TLS) as broker,
    ):
        return ask(broker)
    return None
