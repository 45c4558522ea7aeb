"""The Celery application: the worker and beat that trigger the work behind the pages."""

import os

from celery import Celery
from celery.signals import worker_init

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
