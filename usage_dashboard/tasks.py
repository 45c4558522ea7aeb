"""Celery only triggers. Each task calls a domain function that is safe to run twice, or never."""

from celery import shared_task

from usage_dashboard.monitoring import leading


@shared_task(name="usage_dashboard.tasks.measure")
def measure() -> None:
    leading.measure()
