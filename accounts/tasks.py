"""What beat asks for."""

from celery import shared_task

from accounts.entrance import log
from accounts.installation import shared_cache


@shared_task
def drop_old_security_events() -> None:
    log.drop_old()


@shared_task
def drop_expired_values() -> None:
    shared_cache.drop_expired()
