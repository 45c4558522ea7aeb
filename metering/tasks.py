"""Celery only triggers. Each task calls a domain function that is safe to run twice, or never."""

from celery import shared_task

from metering.rollups import partitions, retention, run


@shared_task(name="metering.tasks.make_partitions")
def make_partitions() -> None:
    partitions.ensure_ahead()


@shared_task(name="metering.tasks.summarize")
def summarize() -> None:
    run.summarize()


@shared_task(name="metering.tasks.drop_old")
def drop_old() -> None:
    retention.drop_old()
