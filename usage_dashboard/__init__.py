"""Wiring only: settings, addresses, Celery, the servers for one machine, the demo."""

from usage_dashboard.celery import app as celery_app

__all__ = ["celery_app"]
