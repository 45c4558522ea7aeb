"""What the broker of background tasks says, within a second."""

import contextlib
from typing import Final

from django.conf import settings

TIMEOUT_SECONDS: Final = 1
QUEUES: Final = tuple(
    {settings.CELERY_TASK_DEFAULT_QUEUE, *(route["queue"] for route in settings.CELERY_TASK_ROUTES.values())}
)


def queue_lengths() -> dict[str, int] | None:
    """How many messages wait in each queue; None if the broker does not answer."""
    import redis  # noqa: PLC0415 – 0.4 s that each process of web would wait for at its start, for two pages of monitors

    address = settings.REDIS_URL.replace("redis+socket://", "unix://")
    timeouts = {"socket_connect_timeout": TIMEOUT_SECONDS, "socket_timeout": TIMEOUT_SECONDS}
    with (
        contextlib.suppress(redis.RedisError),
        redis.Redis.from_url(address, **timeouts, **settings.REDIS_TLS) as broker,
    ):
        return {queue: int(broker.llen(queue)) for queue in QUEUES}
    return None
