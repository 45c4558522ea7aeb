"""The programs beside web: are they there?"""

from collections.abc import Iterator
from typing import Final

from usage_dashboard.celery import app
from usage_dashboard.doctor.findings import Finding, fine, wrong
from usage_dashboard.monitoring.broker import beat_is_alive

ANSWER_SECONDS: Final = 3.0
TAKES: Final = {
    "worker": ("celery", "rollups, prices and budgets stand still"),
    "deliveries": ("deliveries", "emails and webhooks of budgets and invoices wait"),
}


def workers() -> Iterator[Finding]:
    """A worker for each queue, and beat."""
    beats = beat_is_alive()
    if beats is None:
        return  # what cannot be asked is said of Redis
    queues = app.control.inspect(timeout=ANSWER_SECONDS).active_queues() or {}
    taken = {queue["name"] for of_worker in queues.values() for queue in of_worker}
    for program, (queue, what) in TAKES.items():
        if queue in taken:
            yield fine(f"{program} answers.")
        else:
            yield wrong(f"No {program} answers: {what}.", f"Start {program} (Procfile), or see its log.")
    if beats:
        yield fine("beat is at work.")
    else:
        yield wrong(
            "beat has sent nothing for a minute: nothing happens by itself.", "Start beat (Procfile), or see its log."
        )
