"""Celery only triggers. Each task calls a domain function that is safe to run twice, or never."""

from celery import shared_task

from billing import rating


@shared_task(name="billing.tasks.roll_up")
def roll_up() -> None:
    rating.catch_up()
