"""The Celery application: the worker and beat that trigger the work behind the pages."""

import os
from typing import Any

from celery import Celery
from celery.signals import celeryd_after_setup, worker_init, worker_shutdown, worker_shutting_down

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "usage_dashboard.settings")
app = Celery("usage_dashboard")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def prepare_worker(**_kwargs: object) -> None:
    """Of workers alone: this module is imported by every command as well."""
    from accounts.installation import time_limits  # noqa: PLC0415 - needs Django's settings, which need this module
    from usage_dashboard.monitoring import task_times  # noqa: PLC0415 - the same

    time_limits.limit_connections()
    task_times.listen()


@celeryd_after_setup.connect
def roll_up_at_once(instance: Any, **_kwargs: object) -> None:
    """A worker that has rollups among its tasks hears when events arrive, whatever becomes of Redis and beat."""
    if app.conf.task_default_queue not in instance.app.amqp.queues.consume_from:
        return
    from billing.at_once import turn  # noqa: PLC0415 - needs Django's settings, which need this module
    from billing.at_once.listener import Listener  # noqa: PLC0415 - the same
    from billing.tasks import roll_up  # noqa: PLC0415 - the same
    from usage_dashboard.monitoring import task_times  # noqa: PLC0415 - the same

    listener = Listener(lambda rest: task_times.measured(roll_up.name, lambda: turn.take(rest)))
    listener.start()
    worker_shutting_down.connect(lambda **_: listener.stop_soon(), weak=False)
    worker_shutdown.connect(lambda **_: listener.stop(), weak=False)
